const LIST = /-----BEGIN X509 CRL-----([^-]+)-----END X509 CRL-----/g;
/** Tags and lengths of the two ways to write a time in DER: UTCTime, GeneralizedTime. */
const TIMES = [Buffer.of(0x17, 13), Buffer.of(0x18, 15)];

/** DER of a positive integer. */
const integerOf = (hex: string): Buffer => {
  const digits = hex.length % 2 === 0 ? hex : `0${hex}`;
  const bytes = Buffer.from(digits, 'hex');
  const content = (bytes[0] ?? 0) < 0x80 ? bytes : Buffer.concat([Buffer.of(0), bytes]);
  return Buffer.concat([Buffer.of(0x02, content.length), content]);
};

/**
 * Whether a certificate is on one of these revocation lists. Of a list (RFC 5280 §5.1) this needs to find only one entry: it
 * is the serial number, with the time of the revocation right behind it, and nothing else in a list is.
 * @param lists PEM, verified before: OpenSSL takes no others for a handshake.
 * @param serialNumber hexadecimal, as Node tells it of a peer's certificate.
 */
export const isRevoked = (lists: string | Buffer, serialNumber: string): boolean => {
  const serial = integerOf(serialNumber);
  const entries = TIMES.map((time) => Buffer.concat([serial, time]));
  return [...lists.toString('latin1').matchAll(LIST)].some(([, text = '']) => {
    const list = Buffer.from(text, 'base64');
    return entries.some((entry) => list.includes(entry));
  });
};
