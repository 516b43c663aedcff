locals {
  # The customer's variables.yml with the name of the environment filled in.
  config     = yamldecode(file("${path.module}/source-variables.yml"))
  env_config = local.config.environments[var.environment]

  networking = try(local.config.networking, {})
  tags = merge(try(local.config.tags, {}), {
    source_repo = var.source_repo
  })
}

# What was asked for, checked as a whole before anything is created.
resource "terraform_data" "request" {
  input = {
    project     = local.config.project_name
    environment = var.environment
    tags        = local.tags
  }

  lifecycle {
    precondition {
      condition     = local.env_config.max_instances >= local.env_config.min_instances
      error_message = "max_instances (${local.env_config.max_instances}) must not be below min_instances (${local.env_config.min_instances})."
    }
  }
}

module "service" {
  source     = "../modules/service"
  depends_on = [terraform_data.request]

  name          = local.config.project_name
  environment   = var.environment
  region        = local.env_config.region
  instance_type = local.env_config.instance_type
  min_instances = local.env_config.min_instances
  max_instances = local.env_config.max_instances
  vpc_cidr      = try(local.networking.vpc_cidr, "10.0.0.0/16")
  zone_count    = try(local.networking.availability_zones, 1)
}
