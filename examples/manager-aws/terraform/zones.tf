# Zones that every account has: not local zones, and none that must be opted into.
data "aws_availability_zones" "available" {
  state = "available"

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

locals {
  zone_names = sort(data.aws_availability_zones.available.names)
}
