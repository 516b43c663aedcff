locals {
  name = "${var.project_name}-${var.environment}"

  # The provider's own labels stand last: a customer cannot take their place.
  tags = merge(var.tags, {
    project     = var.project_name
    environment = var.environment
    source_repo = var.source_repo
    managed_by  = "metapipe"
  })

  # Sixteen blocks: the first eight are public, the others private. The block of a
  # zone is its place among the zones, so more zones later leave the others alone.
  zones = slice(local.zone_names, 0, min(var.networking.availability_zones, length(local.zone_names)))
  public_cidrs = {
    for i, zone in local.zones : zone => cidrsubnet(var.networking.vpc_cidr, 4, i)
  }
  private_cidrs = {
    for i, zone in local.zones : zone => cidrsubnet(var.networking.vpc_cidr, 4, i + 8)
  }

  # Where NAT gateways stand, and which one a private subnet uses.
  nat_zones = {
    none     = []
    single   = slice(local.zones, 0, min(1, length(local.zones)))
    per-zone = local.zones
  }[var.networking.nat_gateways]
  nat_of = {
    for zone in local.zones : zone => contains(local.nat_zones, zone) ? zone : local.nat_zones[0]
    if length(local.nat_zones) > 0
  }
}
