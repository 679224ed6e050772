# Beside the keys of the example: what the provider is quick about, with something that changes in place.
variable "changed" {
  type    = bool
  default = false
}

locals {
  name = var.changed ? "two" : "one"
  tags = { Name = local.name }
}

data "aws_caller_identity" "me" {}
data "aws_ami" "any" {
  owners      = ["amazon"]
  most_recent = true
}

data "aws_ec2_instance_type" "micro" { instance_type = "t3.micro" }
data "aws_vpc" "default" { default = true }

data "aws_ebs_default_kms_key" "now" {
  depends_on = [aws_ebs_default_kms_key.data]
}

data "aws_kms_secrets" "opened" {
  secret {
    name    = "word"
    payload = aws_kms_ciphertext.word.ciphertext_blob
    context = { of = "test" }
  }
}

resource "aws_iam_role" "reader" {
  name               = "reader"
  description        = local.name
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${data.aws_caller_identity.me.account_id}:root"]
    }
  }
}

resource "aws_iam_user" "leaver" {
  name          = "leaver"
  force_destroy = true
  tags          = local.tags
}

resource "aws_kms_key" "signing" {
  customer_master_key_spec = "ECC_NIST_P256"
  key_usage                = "SIGN_VERIFY"
  deletion_window_in_days  = 7
  description              = local.name
  tags                     = local.tags
}

resource "aws_kms_external_key" "imported" {
  key_material_base64     = "Wblj06fduthWggmsT0cLVoIMOkeLbc2kVfMud77i/JY="
  deletion_window_in_days = 7
}

resource "aws_kms_grant" "reader" {
  key_id            = aws_kms_key.data.key_id
  grantee_principal = aws_iam_role.reader.arn
  operations        = ["Decrypt"]
  constraints {
    encryption_context_subset = { of = "test" }
  }
}

resource "aws_kms_ciphertext" "word" {
  key_id    = aws_kms_key.data.key_id
  plaintext = "xyzzy"
  context   = { of = "test" }
}

resource "aws_rbin_rule" "kept" {
  resource_type = "EBS_SNAPSHOT"
  description   = local.name
  resource_tags {
    resource_tag_key = "keep"
  }
  retention_period {
    retention_period_value = 1
    retention_period_unit  = "DAYS"
  }
}

resource "aws_ebs_volume" "bare" {
  availability_zone = "eu-central-1a"
  size              = 1
  tags              = local.tags
  depends_on        = [aws_ebs_encryption_by_default.on, aws_ebs_default_kms_key.data]
}

resource "aws_iam_instance_profile" "of" {
  for_each = toset(["one", "two"])
  name     = each.key
  role     = aws_iam_role.reader.name
  tags     = local.tags
}

resource "aws_key_pair" "ada" {
  key_name   = "ada"
  public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFIEBSqtPxNimqZYFSdh+H/SNTOBPZ+tcRDo6B+SWO6n ada@example.com"
  tags       = local.tags
}

data "aws_key_pair" "ada" {
  key_name           = aws_key_pair.ada.key_name
  include_public_key = true
}

resource "aws_instance" "told" {
  ami           = data.aws_ami.any.id
  instance_type = data.aws_ec2_instance_type.micro.instance_type
  user_data     = "#!/bin/sh"

  iam_instance_profile = aws_iam_instance_profile.of[local.name].name
  key_name             = aws_key_pair.ada.key_name
  monitoring           = !var.changed
  source_dest_check    = var.changed

  metadata_options {
    http_tokens = var.changed ? "optional" : "required"
  }
  root_block_device {
    encrypted  = true
    kms_key_id = aws_kms_key.data.arn
    tags       = local.tags
  }
  tags       = local.tags
  depends_on = [aws_ebs_encryption_by_default.on, aws_ebs_default_kms_key.data]
}

output "word" {
  value = nonsensitive(data.aws_kms_secrets.opened.plaintext["word"])
}

output "key" {
  value = aws_kms_key.data.arn
}
