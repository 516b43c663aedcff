# `terraform test` plans these with a mocked provider: no account is needed.

mock_provider "aws" {}

override_data {
  target = data.aws_availability_zones.available
  values = { names = ["eu-west-1c", "eu-west-1a", "eu-west-1b"] }
}

variables {
  source_repo  = "example-customer/shop-platform"
  environment  = "production"
  project_name = "shop-platform"
  region       = "eu-west-1"
}

run "defaults" {
  command = plan

  assert {
    condition     = aws_vpc.main.cidr_block == "10.0.0.0/16" && join(" ", keys(aws_subnet.public)) == "eu-west-1a eu-west-1b"
    error_message = "two zones, in the order of their names"
  }

  assert {
    condition     = length(aws_nat_gateway.main) == 0 && length(aws_route.nat) == 0
    error_message = "a NAT gateway costs money, so it is asked for"
  }
}

run "single_nat_gateway" {
  command = plan

  variables {
    networking = { vpc_cidr = "10.20.0.0/16", availability_zones = 3, nat_gateways = "single" }
  }

  assert {
    condition     = join(" ", keys(aws_nat_gateway.main)) == "eu-west-1a" && length(aws_route.nat) == 3
    error_message = "all private subnets use the one gateway"
  }
}

run "nat_gateway_in_each_zone" {
  command = plan

  variables {
    networking = { availability_zones = 3, nat_gateways = "per-zone" }
  }

  assert {
    condition     = length(aws_nat_gateway.main) == 3 && alltrue([for zone, nat in local.nat_of : zone == nat])
    error_message = "each private subnet uses the gateway of its zone"
  }

  assert {
    condition     = length(distinct(concat(values(local.public_cidrs), values(local.private_cidrs)))) == 6
    error_message = "no two subnets share addresses"
  }
}

run "customer_cannot_relabel" {
  command = plan

  variables {
    tags = { managed_by = "nobody", cost-center = "4711" }
  }

  assert {
    condition     = local.tags.managed_by == "metapipe" && local.tags.cost-center == "4711"
    error_message = "the provider's labels go before the customer's"
  }
}

run "too_many_zones" {
  command = plan

  variables {
    networking = { availability_zones = 4 }
  }

  expect_failures = [aws_vpc.main]
}

run "network_too_small" {
  command = plan

  variables {
    networking = { vpc_cidr = "10.0.0.0/26" }
  }

  expect_failures = [var.networking]
}
