# A stock provider: only the endpoints are ours. In development the access key is the account, and the secret is `test`.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "endpoint" {
  description = "Where Holdfast listens."
  default     = "http://127.0.0.1:4566"
}

provider "aws" {
  region     = "eu-central-1"
  access_key = "123456789012"
  secret_key = "test"

  endpoints {
    ec2  = var.endpoint
    iam  = var.endpoint
    kms  = var.endpoint
    rbin = var.endpoint
    sts  = var.endpoint
  }
}
