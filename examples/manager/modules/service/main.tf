# A service of networks, instances and a scaling rule. It is made of the built-in
# terraform_data alone, so it plans and applies anywhere, without a cloud.

locals {
  full_name = "${var.name}-${var.environment}"
  zones     = [for i in range(var.zone_count) : "${var.region}${substr("abc", i, 1)}"]

  # A stand-in for what a secret manager would hand out.
  api_token = sensitive(substr(sha256("${local.full_name}/${var.region}/token"), 0, 32))
}

resource "terraform_data" "network" {
  input = {
    name   = local.full_name
    cidr   = var.vpc_cidr
    region = var.region
  }

  # A network cannot move.
  triggers_replace = [var.region]
}

resource "terraform_data" "subnet" {
  for_each = toset(local.zones)

  input = {
    network = terraform_data.network.id
    zone    = each.value
    cidr    = cidrsubnet(var.vpc_cidr, 4, index(local.zones, each.value))
  }
}

resource "terraform_data" "instance" {
  count = var.min_instances

  input = {
    name = "${local.full_name}-${count.index + 1}"
    type = var.instance_type
    zone = local.zones[count.index % length(local.zones)]
  }

  triggers_replace = [terraform_data.network.id]
}

resource "terraform_data" "scaling" {
  input = {
    service = local.full_name
    min     = var.min_instances
    max     = var.max_instances
  }
}

# The token stands in triggers_replace and not in input: terraform_data copies its
# input to its output, and there the mark "sensitive" is lost.
resource "terraform_data" "credentials" {
  input            = "${local.full_name}-api"
  triggers_replace = [local.api_token]
}
