# The hosts of a service, made of the built-in terraform_data alone: it plans and applies
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
  hosts  = local.config.environments[var.environment]
  cidr   = try(local.config.networking.vpc_cidr, "10.0.0.0/16")
}

resource "terraform_data" "host" {
  count = local.hosts.min_instances

  input = {
    name    = "${local.config.project_name}-${var.environment}-${count.index + 1}"
    address = cidrhost(local.cidr, count.index + 10)
  }
}

output "ansible_inventory" {
  description = "The inventory of the stack hosts."
  value = {
    web = {
      hosts = { for host in terraform_data.host : host.output.name => { ansible_host = host.output.address } }
      vars  = { region = local.hosts.region }
    }
  }
}
