# The first two come from metapipe; the others are keys of the customer's
# variables.yml, where those of the environment go before those at the top.

variable "source_repo" {
  description = "The customer's repository as owner/name."
  type        = string
}

variable "environment" {
  description = "The environment to deploy."
  type        = string
}

variable "project_name" {
  description = "What the customer calls the project; all names begin with it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*[a-z0-9]$", var.project_name)) && length(var.project_name) <= 30
    error_message = "project_name has up to 30 lower-case letters, digits and inner hyphens, and begins with a letter."
  }
}

variable "region" {
  description = "The AWS region of the environment."
  type        = string
}

variable "networking" {
  description = "The network: its addresses, over how many zones it is spread, and how private subnets reach the internet."
  type = object({
    vpc_cidr           = optional(string, "10.0.0.0/16")
    availability_zones = optional(number, 2)
    nat_gateways       = optional(string, "none")
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(cidrsubnet(var.networking.vpc_cidr, 4, 15)) && tonumber(split("/", var.networking.vpc_cidr)[1]) <= 24
    error_message = "networking.vpc_cidr is a network of /16 to /24, such as 10.0.0.0/16: AWS has no subnet below /28."
  }

  validation {
    condition     = contains(["none", "single", "per-zone"], var.networking.nat_gateways)
    error_message = "networking.nat_gateways is none, single or per-zone."
  }
}

variable "tags" {
  description = "Labels of the customer's own, for everything that is created."
  type        = map(string)
  default     = {}
  nullable    = false
}
