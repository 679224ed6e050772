// AES-256-XTS in place, by the OpenSSL that is inside Node itself: createCipheriv makes a context, an IV buffer and an
// output buffer for every data unit, which costs ten times the encryption. Here the contexts are made once per key.
//
// The EVP functions are looked up when the addon is loaded, so it links with nothing, one binary serves every Node with
// Node-API 8, and a Node built without them gets an error to catch rather than a crash.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BYTES 64
#define BLOCK_BYTES 16
#define MIN_UNIT_BYTES 16
// NIST SP 800-38E: at most 2^20 blocks in a data unit.
#define MAX_UNIT_BYTES (16 * 1024 * 1024)
#define MAX_SAFE_INTEGER INT64_C(9007199254740991)
#define CIPHER_MAGIC UINT64_C(0x5854535f41444f4e)

// As declared by openssl/evp.h; the structures are opaque to us.
static void *(*ctx_new)(void);
static void (*ctx_free)(void *);
static const void *(*aes_256_xts)(void);
static int (*cipher_init)(void *, const void *, void *, const unsigned char *, const unsigned char *, int);
static int (*cipher_update)(void *, unsigned char *, int *, const unsigned char *, int);

typedef struct {
  uint64_t magic;
  void *encrypt;
  void *decrypt;
  size_t unit_bytes;
} cipher;

static bool find(void **target, const char *name) {
  *target = dlsym(RTLD_DEFAULT, name);
  return *target != NULL;
}

static napi_value fail(napi_env env, const char *message) {
  napi_throw_error(env, NULL, message);
  return NULL;
}

static void destroy_contexts(cipher *c) {
  // EVP_CIPHER_CTX_free overwrites the key schedules.
  if (c->encrypt != NULL) ctx_free(c->encrypt);
  if (c->decrypt != NULL) ctx_free(c->decrypt);
  c->encrypt = NULL;
  c->decrypt = NULL;
}

static void finalize(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  destroy_contexts(data);
  free(data);
}

// NULL, and an exception is pending, unless the value is a cipher of ours.
static cipher *cipher_of(napi_env env, napi_value value) {
  napi_valuetype type;
  void *data = NULL;
  if (napi_typeof(env, value, &type) != napi_ok || type != napi_external ||
      napi_get_value_external(env, value, &data) != napi_ok || data == NULL || ((cipher *)data)->magic != CIPHER_MAGIC) {
    fail(env, "not a cipher");
    return NULL;
  }
  return data;
}

// create(key: Buffer of 64 bytes, unitBytes: number): cipher
static napi_value create(napi_env env, napi_callback_info info) {
  napi_value args[2];
  size_t count = 2;
  void *key;
  size_t key_bytes;
  int64_t unit_bytes;
  if (napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok || count != 2) return fail(env, "create(key, unitBytes)");
  if (napi_get_buffer_info(env, args[0], &key, &key_bytes) != napi_ok || key_bytes != KEY_BYTES)
    return fail(env, "the key must be a Buffer of 64 bytes");
  if (napi_get_value_int64(env, args[1], &unit_bytes) != napi_ok || unit_bytes < MIN_UNIT_BYTES ||
      unit_bytes > MAX_UNIT_BYTES || unit_bytes % BLOCK_BYTES != 0)
    return fail(env, "the unit size must be a multiple of 16 up to 16 MiB");

  cipher *c = calloc(1, sizeof *c);
  if (c == NULL) return fail(env, "out of memory");
  c->magic = CIPHER_MAGIC;
  c->unit_bytes = (size_t)unit_bytes;
  c->encrypt = ctx_new();
  c->decrypt = ctx_new();
  napi_value result;
  if (c->encrypt == NULL || c->decrypt == NULL || cipher_init(c->encrypt, aes_256_xts(), NULL, key, NULL, 1) != 1 ||
      cipher_init(c->decrypt, aes_256_xts(), NULL, key, NULL, 0) != 1) {
    finalize(env, c, NULL);
    return fail(env, "OpenSSL refused the key");
  }
  if (napi_create_external(env, c, finalize, NULL, &result) != napi_ok) {
    finalize(env, c, NULL);
    return fail(env, "could not create the cipher");
  }
  return result;
}

static bool is_zero(const unsigned char *bytes, size_t length) {
  uint64_t first;
  memcpy(&first, bytes, sizeof first); // Units have 16 bytes at least; the buffer has any alignment.
  // All bytes are equal to the first, and that is zero.
  return first == 0 && memcmp(bytes, bytes + 1, length - 1) == 0;
}

// The number of the data unit, little-endian, is the tweak (IEEE 1619, 5.1).
static void write_tweak(unsigned char *iv, uint64_t unit) {
  for (int i = 0; i < 8; i += 1) iv[i] = (unsigned char)(unit >> (8 * i));
}

// crypt(cipher, buffer: Buffer, offset: number, length: number, firstUnit: number, encrypt: boolean): undefined
static napi_value crypt(napi_env env, napi_callback_info info) {
  napi_value args[6];
  size_t count = 6;
  void *data;
  size_t available;
  int64_t offset, length, first_unit;
  bool encrypt;
  if (napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok || count != 6)
    return fail(env, "crypt(cipher, buffer, offset, length, firstUnit, encrypt)");
  cipher *c = cipher_of(env, args[0]);
  if (c == NULL) return NULL;
  if (c->encrypt == NULL) return fail(env, "the cipher was destroyed");
  if (napi_get_buffer_info(env, args[1], &data, &available) != napi_ok ||
      napi_get_value_int64(env, args[2], &offset) != napi_ok || napi_get_value_int64(env, args[3], &length) != napi_ok ||
      napi_get_value_int64(env, args[4], &first_unit) != napi_ok || napi_get_value_bool(env, args[5], &encrypt) != napi_ok)
    return fail(env, "wrong type of argument");
  if (offset < 0 || length < 0 || (uint64_t)offset > available || (uint64_t)length > available - (uint64_t)offset)
    return fail(env, "the range is outside the buffer");
  if ((uint64_t)length % c->unit_bytes != 0) return fail(env, "the length must be whole units");
  int64_t units = length / (int64_t)c->unit_bytes;
  if (first_unit < 0 || first_unit > MAX_SAFE_INTEGER - units) return fail(env, "the unit number is out of range");

  void *ctx = encrypt ? c->encrypt : c->decrypt;
  unsigned char *at = (unsigned char *)data + offset;
  unsigned char iv[BLOCK_BYTES] = {0};
  for (int64_t i = 0; i < units; i += 1, at += c->unit_bytes) {
    if (!encrypt && is_zero(at, c->unit_bytes)) continue; // Never written: it reads as zeros.
    int written = 0;
    write_tweak(iv, (uint64_t)(first_unit + i));
    if (cipher_init(ctx, NULL, NULL, NULL, iv, -1) != 1 || cipher_update(ctx, at, &written, at, (int)c->unit_bytes) != 1 ||
        written != (int)c->unit_bytes)
      return fail(env, "OpenSSL failed");
  }
  return NULL;
}

// destroy(cipher): undefined; may be called again.
static napi_value destroy(napi_env env, napi_callback_info info) {
  napi_value args[1];
  size_t count = 1;
  if (napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok || count != 1) return fail(env, "destroy(cipher)");
  cipher *c = cipher_of(env, args[0]);
  if (c != NULL) destroy_contexts(c);
  return NULL;
}

NAPI_MODULE_INIT() {
  // POSIX defines the conversion that ISO C leaves open: dlsym returns functions as void pointers.
  if (!find((void **)&ctx_new, "EVP_CIPHER_CTX_new") || !find((void **)&ctx_free, "EVP_CIPHER_CTX_free") ||
      !find((void **)&aes_256_xts, "EVP_aes_256_xts") || !find((void **)&cipher_init, "EVP_CipherInit_ex") ||
      !find((void **)&cipher_update, "EVP_CipherUpdate"))
    return fail(env, "this Node exports no OpenSSL functions");
  const napi_property_descriptor functions[] = {
      {"create", NULL, create, NULL, NULL, NULL, napi_default, NULL},
      {"crypt", NULL, crypt, NULL, NULL, NULL, napi_default, NULL},
      {"destroy", NULL, destroy, NULL, NULL, NULL, napi_default, NULL},
  };
  if (napi_define_properties(env, exports, 3, functions) != napi_ok) return fail(env, "could not define the functions");
  return exports;
}
