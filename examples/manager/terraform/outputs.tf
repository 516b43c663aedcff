output "service_url" {
  description = "Where the service answers."
  value       = module.service.url
}

output "region" {
  description = "The region it runs in."
  value       = local.env_config.region
}

output "instance_range" {
  description = "How many instances run, at least and at most."
  value       = "${local.env_config.min_instances}-${local.env_config.max_instances}"
}

output "zones" {
  description = "The zones that instances are spread over."
  value       = module.service.zones
}

output "network_id" {
  description = "The network of the service."
  value       = module.service.network_id
}

output "api_token" {
  description = "The token of the service's own interface."
  value       = module.service.api_token
  sensitive   = true
}
