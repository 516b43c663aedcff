provider "aws" {
  region = var.region

  # Nothing here may change by itself, such as the time of the run: every plan
  # would have changes, and none would be the one that was reviewed.
  default_tags {
    tags = local.tags
  }
}
