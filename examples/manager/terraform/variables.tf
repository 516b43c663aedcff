variable "source_repo" {
  description = "The customer's repository as owner/name."
  type        = string
}

variable "environment" {
  description = "The environment to deploy, one of those in the customer's variables.yml."
  type        = string
}
