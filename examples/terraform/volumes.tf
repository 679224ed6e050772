variable "size" {
  description = "Of the data volume, in GiB. Another value changes the volume in place."
  default     = 1
}

resource "aws_ebs_volume" "data" {
  availability_zone = "eu-central-1a"
  size              = var.size
  type              = "gp3"
  tags              = { Name = "data" }
  depends_on        = [aws_ebs_encryption_by_default.on, aws_ebs_default_kms_key.data]
}

resource "aws_ebs_snapshot" "data" {
  volume_id = aws_ebs_volume.data.id
}

data "aws_ami" "amazon" {
  owners      = ["amazon"]
  most_recent = true
}

resource "aws_instance" "host" {
  ami               = data.aws_ami.amazon.id
  instance_type     = "t3.micro"
  availability_zone = "eu-central-1a"
  depends_on        = [aws_ebs_encryption_by_default.on, aws_ebs_default_kms_key.data]
}

resource "aws_volume_attachment" "data" {
  device_name = "/dev/sdf"
  volume_id   = aws_ebs_volume.data.id
  instance_id = aws_instance.host.id
}

output "device" {
  description = "Below the state folder; any NBD client opens it."
  value       = "instances/${aws_instance.host.id}/dev/sdf"
}

output "encrypted_under" {
  value = aws_ebs_volume.data.kms_key_id
}
