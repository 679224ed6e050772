"""Signs odd requests with botocore and prints them, one JSON object a line. Arguments: seed, count."""

import base64
import json
import random
import sys
from urllib.parse import quote, urlsplit

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

rnd = random.Random(int(sys.argv[1]))

PATH_PARTS = ["a", "b c", "é", "à", "日本", "..", ".", "", "x%2Fy", "~tilde", "plus+", "star*", "(p)", "q'", "a=b", "a&b", "-_.", "%", "@:"]
TEXTS = ["", "a", "a b", "é", "日本", "a/b", "a+b", "~", "*", "=", "&", "%", "%20", "'", "(x)", "-_.", "A", "\t", "a,b", "😀"]
HEADERS = ["  two  spaces  ", "a,b", "tab\there", "x", '"quoted  text"', "é", "à la", "", "a;b"]


def pick(values):
    return rnd.choice(values)


def path():
    if rnd.random() < 0.3:
        return "/"
    parts = [quote(pick(PATH_PARTS), safe=pick(["", "~", "()'*"])) for _ in range(rnd.randint(1, 5))]
    return "/" + "/".join(parts) + pick(["", "/"])


def query():
    pairs = []
    for _ in range(rnd.randint(0, 5)):
        key = quote(pick(TEXTS) or "k", safe="-_.~")
        pairs.append(key + "=" + quote(pick(TEXTS), safe="-_.~"))
    if pairs and rnd.random() < 0.3:
        pairs.append(pairs[0])
    return "?" + "&".join(pairs) if pairs else ""


def request():
    service = pick(["ec2", "kms", "sts", "ebs", "iam", "cloudtrail"])
    token = pick([None, None, "tok/en+=="])
    host = pick(["127.0.0.1:4566", "ec2.eu-central-1.amazonaws.com", "localhost"])
    unsigned = rnd.random() < 0.1
    method = pick(["GET", "POST", "PUT", "DELETE"])
    target = path() + query()
    if unsigned:
        service, method, target = "ebs", "PUT", "/snapshots/snap-1/blocks/%d" % rnd.randint(0, 9)
    headers = {name: pick(HEADERS) for name in rnd.sample(["X-Custom", "x-amz-meta", "Content-Type", "X-Amz-Target"], rnd.randint(0, 3))}
    data = b"" if method == "GET" else bytes(rnd.randrange(256) for _ in range(rnd.randint(0, 40)))
    if unsigned:
        headers["X-Amz-Content-SHA256"] = "UNSIGNED-PAYLOAD"
    elif rnd.random() < 0.1:
        headers["Date"] = "Thu, 01 Jan 1970 00:00:00 GMT"
    made = AWSRequest(method=method, url="http://" + host + target, headers=headers, data=data)
    made.context["payload_signing_enabled"] = True
    presigned = not unsigned and rnd.random() < 0.3
    region = pick(["us-east-1", "eu-central-1"])
    credentials = Credentials("AKIDEXAMPLE", "secret", token)
    if presigned:
        del made.headers["Date"]
        made.data = {} if method == "GET" else {pick(TEXTS) or "k": pick(TEXTS)}
        SigV4QueryAuth(credentials, service, region, expires=rnd.randint(1, 604800)).add_auth(made)
    else:
        SigV4Auth(credentials, service, region).add_auth(made)
    prepared = made.prepare()
    split = urlsplit(prepared.url)
    sent = {}
    for name, value in prepared.headers.items():
        text = value.decode("latin1") if isinstance(value, bytes) else value.encode("utf-8").decode("latin1")
        sent[name.lower()] = text
    sent["host"] = split.netloc
    return {
        "method": prepared.method,
        "url": split.path + ("?" + split.query if split.query else ""),
        "headers": sent,
        "body": base64.b64encode(prepared.body if isinstance(prepared.body, bytes) else (prepared.body or "").encode()).decode(),
        "service": service,
        "region": region,
        "token": token,
        "presigned": presigned,
        "unsigned": unsigned,
    }


for _ in range(int(sys.argv[2])):
    print(json.dumps(request()))
