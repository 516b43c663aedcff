# The network of a service, made of the built-in terraform_data alone: it plans and applies
# anywhere, without a cloud.

terraform {
  required_version = ">= 1.5"
}

variable "environment" {
  description = "The environment to deploy, one of those in the customer's variables.yml."
  type        = string
}

locals {
  config = yamldecode(file("${path.module}/source-variables.yml"))
  cidr   = try(local.config.networking.vpc_cidr, "10.0.0.0/16")
}

resource "terraform_data" "network" {
  input = {
    name = "${local.config.project_name}-${var.environment}"
    cidr = local.cidr
  }
}

output "address" {
  description = "The address of the first host."
  value       = cidrhost(local.cidr, 10)
}

output "password" {
  description = "A password: sensitive outputs stay secret in the next stack."
  value       = "password-of-${local.config.project_name}-${var.environment}"
  sensitive   = true
}
