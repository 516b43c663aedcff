# All of these reach the customer with the deployment.

output "region" {
  description = "The region of the network."
  value       = var.region
}

output "vpc_id" {
  description = "The network."
  value       = aws_vpc.main.id
}

output "vpc_cidr" {
  description = "The addresses of the network."
  value       = aws_vpc.main.cidr_block
}

output "public_subnet_ids" {
  description = "Subnets with a way to and from the internet, by zone."
  value       = { for zone, subnet in aws_subnet.public : zone => subnet.id }
}

output "private_subnet_ids" {
  description = "Subnets that the internet does not reach, by zone."
  value       = { for zone, subnet in aws_subnet.private : zone => subnet.id }
}

output "nat_addresses" {
  description = "The addresses that private subnets are seen with, by zone."
  value       = { for zone, address in aws_eip.nat : zone => address.public_ip }
}
