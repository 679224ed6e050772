"""Calls an endpoint with botocore's clients and prints what they made of the answers, as one JSON object."""

import base64
import hashlib
import json
import sys
import urllib.request

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint, secret = sys.argv[1], sys.argv[2]
session = botocore.session.get_session()
BLOCK = bytes(524288)
CHECKSUM = base64.b64encode(hashlib.sha256(BLOCK).digest()).decode()


def client(service):
    return session.create_client(
        service,
        region_name="eu-central-1",
        endpoint_url=endpoint,
        aws_access_key_id="123456789012",
        aws_secret_access_key=secret,
        config=Config(retries={"max_attempts": 0}),
    )


def outcome(call, **arguments):
    try:
        answer = call(**arguments)
    except ClientError as error:
        answer = {k: v for k, v in error.response.items() if k != "ResponseMetadata"}
        answer["Status"] = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return answer
    answer["RequestId"] = answer.pop("ResponseMetadata").get("RequestId")
    return answer


def fetch(url, method):
    request = urllib.request.Request(url, method=method)
    with urllib.request.urlopen(request) as answer:
        return answer.status


ec2, kms, sts, ebs, iam = (client(name) for name in ("ec2", "kms", "sts", "ebs", "iam"))
tags = [{"Key": "odd", "Value": "<&\"' é +%20\n"}]
got = outcome(ebs.get_snapshot_block, SnapshotId="snap-1", BlockIndex=3, BlockToken="AA+/==")
if "BlockData" in got:
    got["BlockData"] = len(got["BlockData"].read())
results = {
    "createVolume": outcome(ec2.create_volume, AvailabilityZone="a", Size=8, TagSpecifications=[{"ResourceType": "volume", "Tags": tags}]),
    "describeVolumes": outcome(ec2.describe_volumes, Filters=[{"Name": "tag:a b", "Values": ["x"]}]),
    "deleteVolume": outcome(ec2.delete_volume, VolumeId="vol-1"),
    "generateDataKey": outcome(kms.generate_data_key, KeyId="k", NumberOfBytes=64, EncryptionContext={"aws:ebs:id": "vol-1"}),
    "disableKey": outcome(kms.disable_key, KeyId="k"),
    "getCallerIdentity": outcome(sts.get_caller_identity),
    "putSnapshotBlock": outcome(
        ebs.put_snapshot_block,
        SnapshotId="snap-1", BlockIndex=3, BlockData=BLOCK, DataLength=len(BLOCK), Checksum=CHECKSUM, ChecksumAlgorithm="SHA256",
    ),
    "getSnapshotBlock": got,
    "getUser": outcome(iam.get_user, UserName="ann"),
}
if secret == "test":
    results["presigned"] = [
        fetch(sts.generate_presigned_url("get_caller_identity", HttpMethod="GET"), "GET"),
        fetch(ec2.generate_presigned_url("describe_volumes", Params={"VolumeIds": ["vol-1"]}), "POST"),
    ]
print(json.dumps(results, default=lambda v: base64.b64encode(v).decode() if isinstance(v, bytes) else v.isoformat()))
