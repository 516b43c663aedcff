output "url" {
  value = "https://${local.full_name}.${var.region}.example.com"
}

output "zones" {
  value = local.zones
}

output "network_id" {
  value = terraform_data.network.id
}

output "api_token" {
  value     = local.api_token
  sensitive = true
}
