resource "aws_kms_key" "data" {
  description             = "what the volumes are encrypted under"
  enable_key_rotation     = true
  deletion_window_in_days = 7
}

resource "aws_kms_alias" "data" {
  name          = "alias/data"
  target_key_id = aws_kms_key.data.key_id
}

# What says nothing of encryption is encrypted under this key from now on.
resource "aws_ebs_encryption_by_default" "on" {}

resource "aws_ebs_default_kms_key" "data" {
  key_arn = aws_kms_key.data.arn
}
