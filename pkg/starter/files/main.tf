# What every customer gets, in each environment. Replace terraform_data with real resources.
variable "config" {
  description = "The customer's variables.yml."
  type        = any
}

variable "environment" {
  type = string
}

locals {
  settings = var.config.environments[var.environment]
}

resource "terraform_data" "service" {
  input = {
    name        = var.config.name
    environment = var.environment
    size        = local.settings.size
  }
}

# Customers see the outputs in the comment of their pull request and in their deployments.
output "service" {
  value = "${terraform_data.service.output.name}-${terraform_data.service.output.environment}"
}
