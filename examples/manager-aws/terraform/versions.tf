terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.60, < 7.0"
    }
  }

  # Bucket, key and region are different for each target: metapipe fills them in.
  # The lock is an object beside the state, so there is no lock table.
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}
