# The OIDC provider and the IAM roles of octo-org/infra, printed by `metapipe bootstrap roles`.
# Print it again after a change of metapipe.yml, customers/ or the workflows, and after a
# rename or transfer of the repository. The outputs are variables of the repository and of
# its environments on GitHub.
# What Terraform may read and build is yours to say: plan_policy_arns and apply_policy_arns.
# The role reports plans and applies, so that jobs without a reviewer can take it. Put {{ command }} into `role`.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.81"
    }
  }
}

variable "plan_policy_arns" {
  description = "ARNs of the policies that say what Terraform may do in the cloud for `plan`."
  type        = set(string)
  default     = []
}

variable "apply_policy_arns" {
  description = "ARNs of the policies that say what Terraform may do in the cloud for `apply`."
  type        = set(string)
  default     = []
}

# An account has one provider for each address. Where this one exists: terraform import aws_iam_openid_connect_provider.github ARN
resource "aws_iam_openid_connect_provider" "github" {
  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

# What Terraform may never do with a role that takes it: change these roles, their provider or this boundary.
resource "aws_iam_policy" "boundary" {
  name = "metapipe-boundary"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Everything"
        Effect   = "Allow"
        Action   = ["*"]
        Resource = ["*"]
      },
      {
        Sid    = "NotTheseRoles"
        Effect = "Deny"
        NotAction = [
          "iam:Get*",
          "iam:List*",
        ]
        Resource = [
          "arn:aws:iam::*:oidc-provider/token.actions.githubusercontent.com",
          "arn:aws:iam::*:policy/metapipe-boundary",
          "arn:aws:iam::*:role/metapipe-*",
          "arn:aws:iam::*:role/reports",
          "arn:aws:iam::*:role/tenants/blog_live_apply",
          "arn:aws:iam::*:role/tenants/blog_live_plan",
          "arn:aws:iam::*:role/tenants/blog_staging_apply",
          "arn:aws:iam::*:role/tenants/blog_staging_plan",
        ]
      },
    ]
  })
}

resource "aws_iam_role" "fetch-vars" {
  name                 = "metapipe-fetch-vars"
  description          = "metapipe fetch-vars"
  max_session_duration = 3600
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Principal = {
        Federated = aws_iam_openid_connect_provider.github.arn
      }
      Action = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = ["repo:octo-org@12/infra@34:ref:refs/heads/main"]
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "fetch-vars-fetch-vars" {
  name = "fetch-vars"
  role = aws_iam_role.fetch-vars.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "List"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = ["arn:aws:s3:::provider-states"]
        Condition = {
          StringLike = {
            "s3:prefix" = [
              "*/requests/*",
              "*/pulls/*",
              "*/*/queue/*",
              "*/*/ledger/*",
              "*/ledger/*",
              "_metapipe/tokens/*",
              "_metapipe/rejected/*",
              "_metapipe/ledger/*",
              "_metapipe/customers/*",
              "_metapipe/open/*/*",
              "*/*/plans/*",
              "*/applied/*",
            ]
          }
        }
      },
      {
        Sid      = "Names"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = ["arn:aws:s3:::provider-states"]
        Condition = {
          StringEquals = {
            "s3:delimiter" = ["/"]
          }
          StringLike = {
            "s3:prefix" = [
              "",
              "*/",
            ]
          }
        }
      },
      {
        Sid    = "Read"
        Effect = "Allow"
        Action = ["s3:GetObject"]
        Resource = [
          "arn:aws:s3:::provider-states/*/requests/*",
          "arn:aws:s3:::provider-states/*/pulls/*",
          "arn:aws:s3:::provider-states/*/*/queue/*",
          "arn:aws:s3:::provider-states/*/*/ledger/*",
          "arn:aws:s3:::provider-states/*/ledger/*",
          "arn:aws:s3:::provider-states/_metapipe/tokens/*",
          "arn:aws:s3:::provider-states/_metapipe/rejected/*",
          "arn:aws:s3:::provider-states/_metapipe/ledger/*",
          "arn:aws:s3:::provider-states/_metapipe/customers/*",
          "arn:aws:s3:::provider-states/_metapipe/open/*/*",
          "arn:aws:s3:::provider-states/*/*/plans/*.json",
          "arn:aws:s3:::provider-states/*/applied/*.json",
          "arn:aws:s3:::provider-states/*/*/applied/*",
        ]
      },
      {
        Sid    = "Write"
        Effect = "Allow"
        Action = [
          "s3:PutObject",
          "s3:AbortMultipartUpload",
        ]
        Resource = [
          "arn:aws:s3:::provider-states/*/requests/*",
          "arn:aws:s3:::provider-states/*/pulls/*",
          "arn:aws:s3:::provider-states/*/*/queue/*",
          "arn:aws:s3:::provider-states/*/*/ledger/*",
          "arn:aws:s3:::provider-states/*/ledger/*",
          "arn:aws:s3:::provider-states/_metapipe/tokens/*",
          "arn:aws:s3:::provider-states/_metapipe/rejected/*",
          "arn:aws:s3:::provider-states/_metapipe/ledger/*",
          "arn:aws:s3:::provider-states/_metapipe/customers/*",
          "arn:aws:s3:::provider-states/_metapipe/open/*/*",
          "arn:aws:s3:::provider-states/*/*/plans/*/apply-??????????.json",
        ]
      },
      {
        Sid      = "Remove"
        Effect   = "Allow"
        Action   = ["s3:DeleteObject"]
        Resource = ["arn:aws:s3:::provider-states/_metapipe/open/*/*"]
      },
      {
        Sid      = "Open1"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer" = ["*"]
          }
          StringLikeIfExists = {
            "kms:EncryptionContext:metapipe:environment" = ["*"]
          }
        }
      },
      {
        Sid      = "OpenLastApplies1"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringEquals = {
            "kms:EncryptionContext:metapipe:kind" = ["record"]
          }
        }
      },
      {
        Sid      = "Seal1"
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer" = ["*"]
          }
          StringLikeIfExists = {
            "kms:EncryptionContext:metapipe:environment" = ["*"]
          }
        }
      },
      {
        Sid      = "SealFleet1"
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringEquals = {
            "kms:EncryptionContext:metapipe:customer" = ["_metapipe"]
          }
        }
      },
    ]
  })
}

resource "aws_iam_role" "report" {
  name                 = "metapipe-report"
  description          = "metapipe report"
  max_session_duration = 3600
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Principal = {
        Federated = aws_iam_openid_connect_provider.github.arn
      }
      Action = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = ["repo:octo-org@12/infra@34:ref:refs/heads/main"]
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "report-report" {
  name = "report"
  role = aws_iam_role.report.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "List"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = ["arn:aws:s3:::provider-states"]
        Condition = {
          StringLike = {
            "s3:prefix" = [
              "*/*",
              "_metapipe/rejected/*",
              "_metapipe/ledger/*",
            ]
          }
        }
      },
      {
        Sid    = "Read"
        Effect = "Allow"
        Action = ["s3:GetObject"]
        Resource = [
          "arn:aws:s3:::provider-states/*/*/plans/*.json",
          "arn:aws:s3:::provider-states/*/requests/*",
          "arn:aws:s3:::provider-states/*/pulls/*",
          "arn:aws:s3:::provider-states/*/*/queue/*",
          "arn:aws:s3:::provider-states/*/*/ledger/*",
          "arn:aws:s3:::provider-states/*/ledger/*",
          "arn:aws:s3:::provider-states/_metapipe/rejected/*",
          "arn:aws:s3:::provider-states/_metapipe/ledger/*",
        ]
      },
      {
        Sid    = "Write"
        Effect = "Allow"
        Action = [
          "s3:PutObject",
          "s3:AbortMultipartUpload",
        ]
        Resource = [
          "arn:aws:s3:::provider-states/*/*/ledger/*",
          "arn:aws:s3:::provider-states/*/ledger/*",
        ]
      },
      {
        Sid    = "Remove"
        Effect = "Allow"
        Action = ["s3:DeleteObject"]
        Resource = [
          "arn:aws:s3:::provider-states/*/*/plans/*/artifacts.sealed",
          "arn:aws:s3:::provider-states/_metapipe/open/*/*",
        ]
      },
      {
        Sid      = "Open1"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer" = ["*"]
          }
        }
      },
      {
        Sid      = "OpenFleet1"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringEquals = {
            "kms:EncryptionContext:metapipe:customer" = ["_metapipe"]
          }
        }
      },
      {
        Sid      = "SealLedgers1"
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringEquals = {
            "kms:EncryptionContext:metapipe:kind" = ["ledger"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer" = ["*"]
          }
        }
      },
    ]
  })
}

resource "aws_iam_role" "drift" {
  name                 = "metapipe-drift"
  description          = "metapipe drift"
  max_session_duration = 3600
  permissions_boundary = aws_iam_policy.boundary.arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Principal = {
        Federated = aws_iam_openid_connect_provider.github.arn
      }
      Action = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = ["repo:octo-org@12/infra@34:ref:refs/heads/main"]
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "drift-drift" {
  name = "drift"
  role = aws_iam_role.drift.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "List"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = ["arn:aws:s3:::provider-states"]
        Condition = {
          StringLike = {
            "s3:prefix" = [
              "*/*/*",
              "*/",
              "_metapipe/scans/*",
              "_metapipe/open/*/*",
              "_metapipe/customers/*",
            ]
          }
        }
      },
      {
        Sid    = "Read"
        Effect = "Allow"
        Action = ["s3:GetObject"]
        Resource = [
          "arn:aws:s3:::provider-states/_metapipe/customers/*",
          "arn:aws:s3:::provider-states/*/*/terraform.tfstate",
          "arn:aws:s3:::provider-states/*/*/terraform.tfstate.tflock",
          "arn:aws:s3:::provider-states/*/*/applied/*",
          "arn:aws:s3:::provider-states/*/*/ledger/*",
          "arn:aws:s3:::provider-states/*/*/keys/*",
          "arn:aws:s3:::provider-states/*/requests/*",
          "arn:aws:s3:::provider-states/*/*/queue/*",
          "arn:aws:s3:::provider-states/*/*/plans/*.json",
          "arn:aws:s3:::provider-states/_metapipe/scans/*",
        ]
      },
      {
        Sid    = "Write"
        Effect = "Allow"
        Action = [
          "s3:PutObject",
          "s3:AbortMultipartUpload",
        ]
        Resource = [
          "arn:aws:s3:::provider-states/*/*/keys/*",
          "arn:aws:s3:::provider-states/_metapipe/scans/*",
        ]
      },
      {
        Sid      = "Open1"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer" = ["*"]
          }
          StringLikeIfExists = {
            "kms:EncryptionContext:metapipe:environment" = ["*"]
          }
        }
      },
      {
        Sid      = "OpenFleet1"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringEquals = {
            "kms:EncryptionContext:metapipe:customer" = ["_metapipe"]
          }
        }
      },
      {
        Sid      = "Seal1"
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer"    = ["*"]
            "kms:EncryptionContext:metapipe:environment" = ["*"]
          }
        }
      },
      {
        Sid      = "SealFleet1"
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringEquals = {
            "kms:EncryptionContext:metapipe:customer" = ["_metapipe"]
          }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy_attachment" "drift" {
  for_each   = var.plan_policy_arns
  role       = aws_iam_role.drift.name
  policy_arn = each.value
}

resource "aws_iam_role" "sweep" {
  name                 = "metapipe-sweep"
  description          = "metapipe sweep"
  max_session_duration = 3600
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Principal = {
        Federated = aws_iam_openid_connect_provider.github.arn
      }
      Action = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = ["repo:octo-org@12/infra@34:ref:refs/heads/main"]
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "sweep-sweep" {
  name = "sweep"
  role = aws_iam_role.sweep.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "List"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = ["arn:aws:s3:::provider-states"]
        Condition = {
          StringLike = {
            "s3:prefix" = [
              "*/*",
              "_metapipe/open/*",
            ]
          }
        }
      },
      {
        Sid    = "Read"
        Effect = "Allow"
        Action = ["s3:GetObject"]
        Resource = [
          "arn:aws:s3:::provider-states/*/*/terraform.tfstate",
          "arn:aws:s3:::provider-states/*/*/terraform.tfstate.tflock",
          "arn:aws:s3:::provider-states/*/requests/*",
          "arn:aws:s3:::provider-states/*/pulls/*",
          "arn:aws:s3:::provider-states/*/*/queue/*",
          "arn:aws:s3:::provider-states/*/*/plans/*.json",
          "arn:aws:s3:::provider-states/*/*/ledger/*",
          "arn:aws:s3:::provider-states/*/ledger/*",
        ]
      },
      {
        Sid    = "Write"
        Effect = "Allow"
        Action = [
          "s3:PutObject",
          "s3:AbortMultipartUpload",
        ]
        Resource = [
          "arn:aws:s3:::provider-states/*/*/plans/*/apply-??????????.json",
          "arn:aws:s3:::provider-states/*/*/ledger/*",
          "arn:aws:s3:::provider-states/*/ledger/*",
        ]
      },
      {
        Sid    = "Remove"
        Effect = "Allow"
        Action = ["s3:DeleteObject"]
        Resource = [
          "arn:aws:s3:::provider-states/*/*/plans/*/artifacts.sealed",
          "arn:aws:s3:::provider-states/*/*/terraform.tfstate.tflock",
          "arn:aws:s3:::provider-states/_metapipe/open/*/*",
        ]
      },
      {
        Sid      = "Open1"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer" = ["*"]
          }
          StringLikeIfExists = {
            "kms:EncryptionContext:metapipe:environment" = ["*"]
          }
        }
      },
      {
        Sid      = "Seal1"
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer"    = ["*"]
            "kms:EncryptionContext:metapipe:environment" = ["*"]
          }
        }
      },
      {
        Sid      = "SealLedgers1"
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringEquals = {
            "kms:EncryptionContext:metapipe:kind" = ["ledger"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer" = ["*"]
          }
          StringLikeIfExists = {
            "kms:EncryptionContext:metapipe:environment" = ["*"]
          }
        }
      },
    ]
  })
}

resource "aws_iam_role" "compliance" {
  name                 = "metapipe-compliance"
  description          = "metapipe compliance"
  max_session_duration = 3600
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Principal = {
        Federated = aws_iam_openid_connect_provider.github.arn
      }
      Action = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = ["repo:octo-org@12/infra@34:ref:refs/heads/main"]
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "compliance-compliance" {
  name = "compliance"
  role = aws_iam_role.compliance.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "List"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = ["arn:aws:s3:::provider-states"]
        Condition = {
          StringLike = {
            "s3:prefix" = [
              "_metapipe/compliance/*",
              "_metapipe/ledger/*",
              "*/ledger/*",
            ]
          }
        }
      },
      {
        Sid    = "Read"
        Effect = "Allow"
        Action = ["s3:GetObject"]
        Resource = [
          "arn:aws:s3:::provider-states/_metapipe/compliance/*",
          "arn:aws:s3:::provider-states/_metapipe/ledger/*",
          "arn:aws:s3:::provider-states/*/ledger/*",
        ]
      },
      {
        Sid    = "Write"
        Effect = "Allow"
        Action = [
          "s3:PutObject",
          "s3:AbortMultipartUpload",
        ]
        Resource = [
          "arn:aws:s3:::provider-states/_metapipe/compliance/*",
          "arn:aws:s3:::provider-states/_metapipe/ledger/*",
          "arn:aws:s3:::provider-states/*/ledger/*",
        ]
      },
      {
        Sid      = "Open1"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer" = ["*"]
          }
          StringLikeIfExists = {
            "kms:EncryptionContext:metapipe:environment" = ["*"]
          }
        }
      },
      {
        Sid      = "OpenFleet1"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringEquals = {
            "kms:EncryptionContext:metapipe:customer" = ["_metapipe"]
          }
        }
      },
      {
        Sid      = "SealLedgers1"
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringEquals = {
            "kms:EncryptionContext:metapipe:kind" = ["ledger"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer" = ["*"]
          }
          StringLikeIfExists = {
            "kms:EncryptionContext:metapipe:environment" = ["*"]
          }
        }
      },
      {
        Sid      = "SealFleet1"
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringEquals = {
            "kms:EncryptionContext:metapipe:customer" = ["_metapipe"]
          }
        }
      },
    ]
  })
}

resource "aws_iam_role" "sync" {
  name                 = "metapipe-sync"
  description          = "metapipe sync"
  max_session_duration = 3600
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Principal = {
        Federated = aws_iam_openid_connect_provider.github.arn
      }
      Action = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = ["repo:octo-org@12/infra@34:ref:refs/heads/main"]
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "sync-sync" {
  name = "sync"
  role = aws_iam_role.sync.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "List"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = ["arn:aws:s3:::provider-states"]
        Condition = {
          StringLike = {
            "s3:prefix" = [
              "*/ledger/*",
              "_metapipe/ledger/*",
              "_metapipe/sync/*",
            ]
          }
        }
      },
      {
        Sid    = "Read"
        Effect = "Allow"
        Action = ["s3:GetObject"]
        Resource = [
          "arn:aws:s3:::provider-states/*/ledger/*",
          "arn:aws:s3:::provider-states/_metapipe/ledger/*",
          "arn:aws:s3:::provider-states/_metapipe/sync/*",
        ]
      },
      {
        Sid    = "Write"
        Effect = "Allow"
        Action = [
          "s3:PutObject",
          "s3:AbortMultipartUpload",
        ]
        Resource = [
          "arn:aws:s3:::provider-states/*/ledger/*",
          "arn:aws:s3:::provider-states/_metapipe/ledger/*",
          "arn:aws:s3:::provider-states/_metapipe/sync/*",
        ]
      },
      {
        Sid      = "Open1"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer" = ["*"]
          }
          StringLikeIfExists = {
            "kms:EncryptionContext:metapipe:environment" = ["*"]
          }
        }
      },
      {
        Sid      = "OpenFleet1"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringEquals = {
            "kms:EncryptionContext:metapipe:customer" = ["_metapipe"]
          }
        }
      },
      {
        Sid      = "SealLedgers1"
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringEquals = {
            "kms:EncryptionContext:metapipe:kind" = ["ledger"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer" = ["*"]
          }
          StringLikeIfExists = {
            "kms:EncryptionContext:metapipe:environment" = ["*"]
          }
        }
      },
      {
        Sid      = "SealFleet1"
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringEquals = {
            "kms:EncryptionContext:metapipe:customer" = ["_metapipe"]
          }
        }
      },
    ]
  })
}

resource "aws_iam_role" "plan-staging" {
  name                 = "metapipe-plan-staging"
  description          = "metapipe plan in staging"
  max_session_duration = 3600
  permissions_boundary = aws_iam_policy.boundary.arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Principal = {
        Federated = aws_iam_openid_connect_provider.github.arn
      }
      Action = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = ["repo:octo-org@12/infra@34:environment:staging-plan"]
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "plan-staging-plan" {
  name = "plan"
  role = aws_iam_role.plan-staging.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "List"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = ["arn:aws:s3:::provider-states"]
        Condition = {
          StringLike = {
            "s3:prefix" = [
              "*/staging/*",
              "*/requests/*",
              "*/pulls/*",
              "_metapipe/customers/*",
            ]
          }
        }
      },
      {
        Sid    = "Read"
        Effect = "Allow"
        Action = ["s3:GetObject"]
        Resource = [
          "arn:aws:s3:::provider-states/*/staging/terraform.tfstate",
          "arn:aws:s3:::provider-states/*/staging/terraform.tfstate.tflock",
          "arn:aws:s3:::provider-states/*/staging/plans/*",
          "arn:aws:s3:::provider-states/*/staging/keys/*",
          "arn:aws:s3:::provider-states/*/staging/applied/*",
          "arn:aws:s3:::provider-states/*/staging/ledger/*",
          "arn:aws:s3:::provider-states/*/staging/queue/*",
          "arn:aws:s3:::provider-states/*/requests/*",
          "arn:aws:s3:::provider-states/*/pulls/*",
          "arn:aws:s3:::provider-states/_metapipe/customers/*",
        ]
      },
      {
        Sid    = "Write"
        Effect = "Allow"
        Action = [
          "s3:PutObject",
          "s3:AbortMultipartUpload",
        ]
        Resource = [
          "arn:aws:s3:::provider-states/*/staging/terraform.tfstate.tflock",
          "arn:aws:s3:::provider-states/*/staging/plans/*",
          "arn:aws:s3:::provider-states/*/staging/kept/*",
          "arn:aws:s3:::provider-states/*/staging/keys/*",
          "arn:aws:s3:::provider-states/*/staging/ledger/*",
        ]
      },
      {
        Sid      = "Remove"
        Effect   = "Allow"
        Action   = ["s3:DeleteObject"]
        Resource = ["arn:aws:s3:::provider-states/*/staging/terraform.tfstate.tflock"]
      },
      {
        Sid      = "Open1"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer" = ["*"]
          }
          StringLikeIfExists = {
            "kms:EncryptionContext:metapipe:environment" = ["staging"]
          }
        }
      },
      {
        Sid      = "Seal1"
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer"    = ["*"]
            "kms:EncryptionContext:metapipe:environment" = ["staging"]
          }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy_attachment" "plan-staging" {
  for_each   = var.plan_policy_arns
  role       = aws_iam_role.plan-staging.name
  policy_arn = each.value
}

resource "aws_iam_role" "apply-staging" {
  name                 = "metapipe-apply-staging"
  description          = "metapipe apply in staging"
  max_session_duration = 3600
  permissions_boundary = aws_iam_policy.boundary.arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Principal = {
        Federated = aws_iam_openid_connect_provider.github.arn
      }
      Action = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = ["repo:octo-org@12/infra@34:environment:staging-apply"]
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "apply-staging-apply" {
  name = "apply"
  role = aws_iam_role.apply-staging.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "List"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = ["arn:aws:s3:::provider-states"]
        Condition = {
          StringLike = {
            "s3:prefix" = [
              "*/staging/*",
              "*/*/plans/*",
              "*/requests/*",
              "_metapipe/customers/*",
            ]
          }
        }
      },
      {
        Sid    = "Read"
        Effect = "Allow"
        Action = ["s3:GetObject"]
        Resource = [
          "arn:aws:s3:::provider-states/*/staging/terraform.tfstate",
          "arn:aws:s3:::provider-states/*/staging/terraform.tfstate.tflock",
          "arn:aws:s3:::provider-states/*/staging/plans/*",
          "arn:aws:s3:::provider-states/*/staging/applied/*",
          "arn:aws:s3:::provider-states/*/staging/kept/*",
          "arn:aws:s3:::provider-states/*/staging/ledger/*",
          "arn:aws:s3:::provider-states/*/staging/queue/*",
          "arn:aws:s3:::provider-states/*/requests/*",
          "arn:aws:s3:::provider-states/_metapipe/customers/*",
          "arn:aws:s3:::provider-states/*/*/plans/*.json",
        ]
      },
      {
        Sid    = "Write"
        Effect = "Allow"
        Action = [
          "s3:PutObject",
          "s3:AbortMultipartUpload",
        ]
        Resource = [
          "arn:aws:s3:::provider-states/*/staging/terraform.tfstate",
          "arn:aws:s3:::provider-states/*/staging/terraform.tfstate.tflock",
          "arn:aws:s3:::provider-states/*/staging/plans/*",
          "arn:aws:s3:::provider-states/*/staging/applied/*",
          "arn:aws:s3:::provider-states/*/staging/kept/*",
          "arn:aws:s3:::provider-states/*/staging/ledger/*",
          "arn:aws:s3:::provider-states/_metapipe/open/*/*",
        ]
      },
      {
        Sid    = "Remove"
        Effect = "Allow"
        Action = ["s3:DeleteObject"]
        Resource = [
          "arn:aws:s3:::provider-states/*/staging/plans/*/artifacts.sealed",
          "arn:aws:s3:::provider-states/*/staging/terraform.tfstate.tflock",
          "arn:aws:s3:::provider-states/*/staging/applied/*",
        ]
      },
      {
        Sid      = "Open1"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer" = ["*"]
          }
          StringLikeIfExists = {
            "kms:EncryptionContext:metapipe:environment" = ["staging"]
          }
        }
      },
      {
        Sid      = "OpenRecords1"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringEquals = {
            "kms:EncryptionContext:metapipe:kind" = ["record"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer" = ["*"]
          }
        }
      },
      {
        Sid      = "Seal1"
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer"    = ["*"]
            "kms:EncryptionContext:metapipe:environment" = ["staging"]
          }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy_attachment" "apply-staging" {
  for_each   = var.apply_policy_arns
  role       = aws_iam_role.apply-staging.name
  policy_arn = each.value
}

resource "aws_iam_role" "plan-live" {
  name                 = "metapipe-plan-live"
  description          = "metapipe plan in live"
  max_session_duration = 3600
  permissions_boundary = aws_iam_policy.boundary.arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Principal = {
        Federated = aws_iam_openid_connect_provider.github.arn
      }
      Action = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = ["repo:octo-org@12/infra@34:environment:live-plan"]
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "plan-live-plan" {
  name = "plan"
  role = aws_iam_role.plan-live.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "List"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = ["arn:aws:s3:::provider-states"]
        Condition = {
          StringLike = {
            "s3:prefix" = [
              "*/live/*",
              "*/requests/*",
              "*/pulls/*",
              "_metapipe/customers/*",
            ]
          }
        }
      },
      {
        Sid    = "Read"
        Effect = "Allow"
        Action = ["s3:GetObject"]
        Resource = [
          "arn:aws:s3:::provider-states/*/live/terraform.tfstate",
          "arn:aws:s3:::provider-states/*/live/terraform.tfstate.tflock",
          "arn:aws:s3:::provider-states/*/live/plans/*",
          "arn:aws:s3:::provider-states/*/live/keys/*",
          "arn:aws:s3:::provider-states/*/live/applied/*",
          "arn:aws:s3:::provider-states/*/live/ledger/*",
          "arn:aws:s3:::provider-states/*/live/queue/*",
          "arn:aws:s3:::provider-states/*/requests/*",
          "arn:aws:s3:::provider-states/*/pulls/*",
          "arn:aws:s3:::provider-states/_metapipe/customers/*",
        ]
      },
      {
        Sid    = "Write"
        Effect = "Allow"
        Action = [
          "s3:PutObject",
          "s3:AbortMultipartUpload",
        ]
        Resource = [
          "arn:aws:s3:::provider-states/*/live/terraform.tfstate.tflock",
          "arn:aws:s3:::provider-states/*/live/plans/*",
          "arn:aws:s3:::provider-states/*/live/kept/*",
          "arn:aws:s3:::provider-states/*/live/keys/*",
          "arn:aws:s3:::provider-states/*/live/ledger/*",
        ]
      },
      {
        Sid      = "Remove"
        Effect   = "Allow"
        Action   = ["s3:DeleteObject"]
        Resource = ["arn:aws:s3:::provider-states/*/live/terraform.tfstate.tflock"]
      },
      {
        Sid      = "Open1"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer" = ["*"]
          }
          StringLikeIfExists = {
            "kms:EncryptionContext:metapipe:environment" = ["live"]
          }
        }
      },
      {
        Sid      = "Seal1"
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer"    = ["*"]
            "kms:EncryptionContext:metapipe:environment" = ["live"]
          }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy_attachment" "plan-live" {
  for_each   = var.plan_policy_arns
  role       = aws_iam_role.plan-live.name
  policy_arn = each.value
}

resource "aws_iam_role" "apply-live" {
  name                 = "metapipe-apply-live"
  description          = "metapipe apply in live"
  max_session_duration = 3600
  permissions_boundary = aws_iam_policy.boundary.arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Principal = {
        Federated = aws_iam_openid_connect_provider.github.arn
      }
      Action = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = ["repo:octo-org@12/infra@34:environment:live-apply"]
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "apply-live-apply" {
  name = "apply"
  role = aws_iam_role.apply-live.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "List"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = ["arn:aws:s3:::provider-states"]
        Condition = {
          StringLike = {
            "s3:prefix" = [
              "*/live/*",
              "*/*/plans/*",
              "*/requests/*",
              "_metapipe/customers/*",
            ]
          }
        }
      },
      {
        Sid    = "Read"
        Effect = "Allow"
        Action = ["s3:GetObject"]
        Resource = [
          "arn:aws:s3:::provider-states/*/live/terraform.tfstate",
          "arn:aws:s3:::provider-states/*/live/terraform.tfstate.tflock",
          "arn:aws:s3:::provider-states/*/live/plans/*",
          "arn:aws:s3:::provider-states/*/live/applied/*",
          "arn:aws:s3:::provider-states/*/live/kept/*",
          "arn:aws:s3:::provider-states/*/live/ledger/*",
          "arn:aws:s3:::provider-states/*/live/queue/*",
          "arn:aws:s3:::provider-states/*/requests/*",
          "arn:aws:s3:::provider-states/_metapipe/customers/*",
          "arn:aws:s3:::provider-states/*/*/plans/*.json",
        ]
      },
      {
        Sid    = "Write"
        Effect = "Allow"
        Action = [
          "s3:PutObject",
          "s3:AbortMultipartUpload",
        ]
        Resource = [
          "arn:aws:s3:::provider-states/*/live/terraform.tfstate",
          "arn:aws:s3:::provider-states/*/live/terraform.tfstate.tflock",
          "arn:aws:s3:::provider-states/*/live/plans/*",
          "arn:aws:s3:::provider-states/*/live/applied/*",
          "arn:aws:s3:::provider-states/*/live/kept/*",
          "arn:aws:s3:::provider-states/*/live/ledger/*",
          "arn:aws:s3:::provider-states/_metapipe/open/*/*",
        ]
      },
      {
        Sid    = "Remove"
        Effect = "Allow"
        Action = ["s3:DeleteObject"]
        Resource = [
          "arn:aws:s3:::provider-states/*/live/plans/*/artifacts.sealed",
          "arn:aws:s3:::provider-states/*/live/terraform.tfstate.tflock",
          "arn:aws:s3:::provider-states/*/live/applied/*",
        ]
      },
      {
        Sid      = "Open1"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer" = ["*"]
          }
          StringLikeIfExists = {
            "kms:EncryptionContext:metapipe:environment" = ["live"]
          }
        }
      },
      {
        Sid      = "OpenRecords1"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringEquals = {
            "kms:EncryptionContext:metapipe:kind" = ["record"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer" = ["*"]
          }
        }
      },
      {
        Sid      = "Seal1"
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer"    = ["*"]
            "kms:EncryptionContext:metapipe:environment" = ["live"]
          }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy_attachment" "apply-live" {
  for_each   = var.apply_policy_arns
  role       = aws_iam_role.apply-live.name
  policy_arn = each.value
}

resource "aws_iam_role" "target-reports" {
  name                 = "reports"
  description          = "metapipe for reports in staging"
  max_session_duration = 8100
  permissions_boundary = aws_iam_policy.boundary.arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Principal = {
        Federated = aws_iam_openid_connect_provider.github.arn
      }
      Action = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = [
            "repo:octo-org@12/infra@34:environment:staging-apply",
            "repo:octo-org@12/infra@34:environment:staging-plan",
            "repo:octo-org@12/infra@34:ref:refs/heads/main",
          ]
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "target-reports-plan" {
  name = "plan"
  role = aws_iam_role.target-reports.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "List"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = ["arn:aws:s3:::provider-states"]
        Condition = {
          StringLike = {
            "s3:prefix" = [
              "reports/staging/*",
              "reports/requests/*",
              "reports/pulls/*",
              "_metapipe/customers/*",
            ]
          }
        }
      },
      {
        Sid    = "Read"
        Effect = "Allow"
        Action = ["s3:GetObject"]
        Resource = [
          "arn:aws:s3:::provider-states/reports/staging/terraform.tfstate",
          "arn:aws:s3:::provider-states/reports/staging/terraform.tfstate.tflock",
          "arn:aws:s3:::provider-states/reports/staging/plans/*",
          "arn:aws:s3:::provider-states/reports/staging/keys/*",
          "arn:aws:s3:::provider-states/reports/staging/applied/*",
          "arn:aws:s3:::provider-states/reports/staging/ledger/*",
          "arn:aws:s3:::provider-states/reports/staging/queue/*",
          "arn:aws:s3:::provider-states/reports/requests/*",
          "arn:aws:s3:::provider-states/reports/pulls/*",
          "arn:aws:s3:::provider-states/_metapipe/customers/*",
        ]
      },
      {
        Sid    = "Write"
        Effect = "Allow"
        Action = [
          "s3:PutObject",
          "s3:AbortMultipartUpload",
        ]
        Resource = [
          "arn:aws:s3:::provider-states/reports/staging/terraform.tfstate.tflock",
          "arn:aws:s3:::provider-states/reports/staging/plans/*",
          "arn:aws:s3:::provider-states/reports/staging/kept/*",
          "arn:aws:s3:::provider-states/reports/staging/keys/*",
          "arn:aws:s3:::provider-states/reports/staging/ledger/*",
        ]
      },
      {
        Sid      = "Remove"
        Effect   = "Allow"
        Action   = ["s3:DeleteObject"]
        Resource = ["arn:aws:s3:::provider-states/reports/staging/terraform.tfstate.tflock"]
      },
      {
        Sid      = "Open1"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer" = ["reports"]
          }
          StringLikeIfExists = {
            "kms:EncryptionContext:metapipe:environment" = ["staging"]
          }
        }
      },
      {
        Sid      = "Seal1"
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer"    = ["reports"]
            "kms:EncryptionContext:metapipe:environment" = ["staging"]
          }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy" "target-reports-apply" {
  name = "apply"
  role = aws_iam_role.target-reports.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "List"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = ["arn:aws:s3:::provider-states"]
        Condition = {
          StringLike = {
            "s3:prefix" = [
              "reports/staging/*",
              "reports/*/plans/*",
              "reports/requests/*",
              "_metapipe/customers/*",
            ]
          }
        }
      },
      {
        Sid    = "Read"
        Effect = "Allow"
        Action = ["s3:GetObject"]
        Resource = [
          "arn:aws:s3:::provider-states/reports/staging/terraform.tfstate",
          "arn:aws:s3:::provider-states/reports/staging/terraform.tfstate.tflock",
          "arn:aws:s3:::provider-states/reports/staging/plans/*",
          "arn:aws:s3:::provider-states/reports/staging/applied/*",
          "arn:aws:s3:::provider-states/reports/staging/kept/*",
          "arn:aws:s3:::provider-states/reports/staging/ledger/*",
          "arn:aws:s3:::provider-states/reports/staging/queue/*",
          "arn:aws:s3:::provider-states/reports/requests/*",
          "arn:aws:s3:::provider-states/_metapipe/customers/*",
          "arn:aws:s3:::provider-states/reports/*/plans/*.json",
        ]
      },
      {
        Sid    = "Write"
        Effect = "Allow"
        Action = [
          "s3:PutObject",
          "s3:AbortMultipartUpload",
        ]
        Resource = [
          "arn:aws:s3:::provider-states/reports/staging/terraform.tfstate",
          "arn:aws:s3:::provider-states/reports/staging/terraform.tfstate.tflock",
          "arn:aws:s3:::provider-states/reports/staging/plans/*",
          "arn:aws:s3:::provider-states/reports/staging/applied/*",
          "arn:aws:s3:::provider-states/reports/staging/kept/*",
          "arn:aws:s3:::provider-states/reports/staging/ledger/*",
          "arn:aws:s3:::provider-states/_metapipe/open/reports/*",
        ]
      },
      {
        Sid    = "Remove"
        Effect = "Allow"
        Action = ["s3:DeleteObject"]
        Resource = [
          "arn:aws:s3:::provider-states/reports/staging/plans/*/artifacts.sealed",
          "arn:aws:s3:::provider-states/reports/staging/terraform.tfstate.tflock",
          "arn:aws:s3:::provider-states/reports/staging/applied/*",
        ]
      },
      {
        Sid      = "Open1"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer" = ["reports"]
          }
          StringLikeIfExists = {
            "kms:EncryptionContext:metapipe:environment" = ["staging"]
          }
        }
      },
      {
        Sid      = "OpenRecords1"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringEquals = {
            "kms:EncryptionContext:metapipe:kind" = ["record"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer" = ["reports"]
          }
        }
      },
      {
        Sid      = "Seal1"
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer"    = ["reports"]
            "kms:EncryptionContext:metapipe:environment" = ["staging"]
          }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy_attachment" "target-reports" {
  for_each   = var.apply_policy_arns
  role       = aws_iam_role.target-reports.name
  policy_arn = each.value
}

resource "aws_iam_role" "target-blog_live_apply" {
  name                 = "blog_live_apply"
  path                 = "/tenants/"
  description          = "metapipe for blog in live"
  max_session_duration = 8100
  permissions_boundary = aws_iam_policy.boundary.arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Principal = {
        Federated = aws_iam_openid_connect_provider.github.arn
      }
      Action = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = ["repo:octo-org@12/infra@34:environment:live-apply"]
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "target-blog_live_apply-apply" {
  name = "apply"
  role = aws_iam_role.target-blog_live_apply.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "List"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = ["arn:aws:s3:::provider-states"]
        Condition = {
          StringLike = {
            "s3:prefix" = [
              "blog/live/*",
              "blog/*/plans/*",
              "blog/requests/*",
              "_metapipe/customers/*",
            ]
          }
        }
      },
      {
        Sid    = "Read"
        Effect = "Allow"
        Action = ["s3:GetObject"]
        Resource = [
          "arn:aws:s3:::provider-states/blog/live/terraform.tfstate",
          "arn:aws:s3:::provider-states/blog/live/terraform.tfstate.tflock",
          "arn:aws:s3:::provider-states/blog/live/plans/*",
          "arn:aws:s3:::provider-states/blog/live/applied/*",
          "arn:aws:s3:::provider-states/blog/live/kept/*",
          "arn:aws:s3:::provider-states/blog/live/ledger/*",
          "arn:aws:s3:::provider-states/blog/live/queue/*",
          "arn:aws:s3:::provider-states/blog/requests/*",
          "arn:aws:s3:::provider-states/_metapipe/customers/*",
          "arn:aws:s3:::provider-states/blog/*/plans/*.json",
        ]
      },
      {
        Sid    = "Write"
        Effect = "Allow"
        Action = [
          "s3:PutObject",
          "s3:AbortMultipartUpload",
        ]
        Resource = [
          "arn:aws:s3:::provider-states/blog/live/terraform.tfstate",
          "arn:aws:s3:::provider-states/blog/live/terraform.tfstate.tflock",
          "arn:aws:s3:::provider-states/blog/live/plans/*",
          "arn:aws:s3:::provider-states/blog/live/applied/*",
          "arn:aws:s3:::provider-states/blog/live/kept/*",
          "arn:aws:s3:::provider-states/blog/live/ledger/*",
          "arn:aws:s3:::provider-states/_metapipe/open/blog/*",
        ]
      },
      {
        Sid    = "Remove"
        Effect = "Allow"
        Action = ["s3:DeleteObject"]
        Resource = [
          "arn:aws:s3:::provider-states/blog/live/plans/*/artifacts.sealed",
          "arn:aws:s3:::provider-states/blog/live/terraform.tfstate.tflock",
          "arn:aws:s3:::provider-states/blog/live/applied/*",
        ]
      },
      {
        Sid      = "Open1"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer" = ["blog"]
          }
          StringLikeIfExists = {
            "kms:EncryptionContext:metapipe:environment" = ["live"]
          }
        }
      },
      {
        Sid      = "OpenRecords1"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringEquals = {
            "kms:EncryptionContext:metapipe:kind" = ["record"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer" = ["blog"]
          }
        }
      },
      {
        Sid      = "Seal1"
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer"    = ["blog"]
            "kms:EncryptionContext:metapipe:environment" = ["live"]
          }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy_attachment" "target-blog_live_apply" {
  for_each   = var.apply_policy_arns
  role       = aws_iam_role.target-blog_live_apply.name
  policy_arn = each.value
}

resource "aws_iam_role" "target-blog_live_plan" {
  name                 = "blog_live_plan"
  path                 = "/tenants/"
  description          = "metapipe for blog in live"
  max_session_duration = 3600
  permissions_boundary = aws_iam_policy.boundary.arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Principal = {
        Federated = aws_iam_openid_connect_provider.github.arn
      }
      Action = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = [
            "repo:octo-org@12/infra@34:environment:live-plan",
            "repo:octo-org@12/infra@34:ref:refs/heads/main",
          ]
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "target-blog_live_plan-plan" {
  name = "plan"
  role = aws_iam_role.target-blog_live_plan.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "List"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = ["arn:aws:s3:::provider-states"]
        Condition = {
          StringLike = {
            "s3:prefix" = [
              "blog/live/*",
              "blog/requests/*",
              "blog/pulls/*",
              "_metapipe/customers/*",
            ]
          }
        }
      },
      {
        Sid    = "Read"
        Effect = "Allow"
        Action = ["s3:GetObject"]
        Resource = [
          "arn:aws:s3:::provider-states/blog/live/terraform.tfstate",
          "arn:aws:s3:::provider-states/blog/live/terraform.tfstate.tflock",
          "arn:aws:s3:::provider-states/blog/live/plans/*",
          "arn:aws:s3:::provider-states/blog/live/keys/*",
          "arn:aws:s3:::provider-states/blog/live/applied/*",
          "arn:aws:s3:::provider-states/blog/live/ledger/*",
          "arn:aws:s3:::provider-states/blog/live/queue/*",
          "arn:aws:s3:::provider-states/blog/requests/*",
          "arn:aws:s3:::provider-states/blog/pulls/*",
          "arn:aws:s3:::provider-states/_metapipe/customers/*",
        ]
      },
      {
        Sid    = "Write"
        Effect = "Allow"
        Action = [
          "s3:PutObject",
          "s3:AbortMultipartUpload",
        ]
        Resource = [
          "arn:aws:s3:::provider-states/blog/live/terraform.tfstate.tflock",
          "arn:aws:s3:::provider-states/blog/live/plans/*",
          "arn:aws:s3:::provider-states/blog/live/kept/*",
          "arn:aws:s3:::provider-states/blog/live/keys/*",
          "arn:aws:s3:::provider-states/blog/live/ledger/*",
        ]
      },
      {
        Sid      = "Remove"
        Effect   = "Allow"
        Action   = ["s3:DeleteObject"]
        Resource = ["arn:aws:s3:::provider-states/blog/live/terraform.tfstate.tflock"]
      },
      {
        Sid      = "Open1"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer" = ["blog"]
          }
          StringLikeIfExists = {
            "kms:EncryptionContext:metapipe:environment" = ["live"]
          }
        }
      },
      {
        Sid      = "Seal1"
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer"    = ["blog"]
            "kms:EncryptionContext:metapipe:environment" = ["live"]
          }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy_attachment" "target-blog_live_plan" {
  for_each   = var.plan_policy_arns
  role       = aws_iam_role.target-blog_live_plan.name
  policy_arn = each.value
}

resource "aws_iam_role" "target-blog_staging_apply" {
  name                 = "blog_staging_apply"
  path                 = "/tenants/"
  description          = "metapipe for blog in staging"
  max_session_duration = 8100
  permissions_boundary = aws_iam_policy.boundary.arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Principal = {
        Federated = aws_iam_openid_connect_provider.github.arn
      }
      Action = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = ["repo:octo-org@12/infra@34:environment:staging-apply"]
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "target-blog_staging_apply-apply" {
  name = "apply"
  role = aws_iam_role.target-blog_staging_apply.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "List"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = ["arn:aws:s3:::provider-states"]
        Condition = {
          StringLike = {
            "s3:prefix" = [
              "blog/staging/*",
              "blog/*/plans/*",
              "blog/requests/*",
              "_metapipe/customers/*",
            ]
          }
        }
      },
      {
        Sid    = "Read"
        Effect = "Allow"
        Action = ["s3:GetObject"]
        Resource = [
          "arn:aws:s3:::provider-states/blog/staging/terraform.tfstate",
          "arn:aws:s3:::provider-states/blog/staging/terraform.tfstate.tflock",
          "arn:aws:s3:::provider-states/blog/staging/plans/*",
          "arn:aws:s3:::provider-states/blog/staging/applied/*",
          "arn:aws:s3:::provider-states/blog/staging/kept/*",
          "arn:aws:s3:::provider-states/blog/staging/ledger/*",
          "arn:aws:s3:::provider-states/blog/staging/queue/*",
          "arn:aws:s3:::provider-states/blog/requests/*",
          "arn:aws:s3:::provider-states/_metapipe/customers/*",
          "arn:aws:s3:::provider-states/blog/*/plans/*.json",
        ]
      },
      {
        Sid    = "Write"
        Effect = "Allow"
        Action = [
          "s3:PutObject",
          "s3:AbortMultipartUpload",
        ]
        Resource = [
          "arn:aws:s3:::provider-states/blog/staging/terraform.tfstate",
          "arn:aws:s3:::provider-states/blog/staging/terraform.tfstate.tflock",
          "arn:aws:s3:::provider-states/blog/staging/plans/*",
          "arn:aws:s3:::provider-states/blog/staging/applied/*",
          "arn:aws:s3:::provider-states/blog/staging/kept/*",
          "arn:aws:s3:::provider-states/blog/staging/ledger/*",
          "arn:aws:s3:::provider-states/_metapipe/open/blog/*",
        ]
      },
      {
        Sid    = "Remove"
        Effect = "Allow"
        Action = ["s3:DeleteObject"]
        Resource = [
          "arn:aws:s3:::provider-states/blog/staging/plans/*/artifacts.sealed",
          "arn:aws:s3:::provider-states/blog/staging/terraform.tfstate.tflock",
          "arn:aws:s3:::provider-states/blog/staging/applied/*",
        ]
      },
      {
        Sid      = "Open1"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer" = ["blog"]
          }
          StringLikeIfExists = {
            "kms:EncryptionContext:metapipe:environment" = ["staging"]
          }
        }
      },
      {
        Sid      = "OpenRecords1"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringEquals = {
            "kms:EncryptionContext:metapipe:kind" = ["record"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer" = ["blog"]
          }
        }
      },
      {
        Sid      = "Seal1"
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer"    = ["blog"]
            "kms:EncryptionContext:metapipe:environment" = ["staging"]
          }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy_attachment" "target-blog_staging_apply" {
  for_each   = var.apply_policy_arns
  role       = aws_iam_role.target-blog_staging_apply.name
  policy_arn = each.value
}

resource "aws_iam_role" "target-blog_staging_plan" {
  name                 = "blog_staging_plan"
  path                 = "/tenants/"
  description          = "metapipe for blog in staging"
  max_session_duration = 3600
  permissions_boundary = aws_iam_policy.boundary.arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Principal = {
        Federated = aws_iam_openid_connect_provider.github.arn
      }
      Action = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = [
            "repo:octo-org@12/infra@34:environment:staging-plan",
            "repo:octo-org@12/infra@34:ref:refs/heads/main",
          ]
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "target-blog_staging_plan-plan" {
  name = "plan"
  role = aws_iam_role.target-blog_staging_plan.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "List"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = ["arn:aws:s3:::provider-states"]
        Condition = {
          StringLike = {
            "s3:prefix" = [
              "blog/staging/*",
              "blog/requests/*",
              "blog/pulls/*",
              "_metapipe/customers/*",
            ]
          }
        }
      },
      {
        Sid    = "Read"
        Effect = "Allow"
        Action = ["s3:GetObject"]
        Resource = [
          "arn:aws:s3:::provider-states/blog/staging/terraform.tfstate",
          "arn:aws:s3:::provider-states/blog/staging/terraform.tfstate.tflock",
          "arn:aws:s3:::provider-states/blog/staging/plans/*",
          "arn:aws:s3:::provider-states/blog/staging/keys/*",
          "arn:aws:s3:::provider-states/blog/staging/applied/*",
          "arn:aws:s3:::provider-states/blog/staging/ledger/*",
          "arn:aws:s3:::provider-states/blog/staging/queue/*",
          "arn:aws:s3:::provider-states/blog/requests/*",
          "arn:aws:s3:::provider-states/blog/pulls/*",
          "arn:aws:s3:::provider-states/_metapipe/customers/*",
        ]
      },
      {
        Sid    = "Write"
        Effect = "Allow"
        Action = [
          "s3:PutObject",
          "s3:AbortMultipartUpload",
        ]
        Resource = [
          "arn:aws:s3:::provider-states/blog/staging/terraform.tfstate.tflock",
          "arn:aws:s3:::provider-states/blog/staging/plans/*",
          "arn:aws:s3:::provider-states/blog/staging/kept/*",
          "arn:aws:s3:::provider-states/blog/staging/keys/*",
          "arn:aws:s3:::provider-states/blog/staging/ledger/*",
        ]
      },
      {
        Sid      = "Remove"
        Effect   = "Allow"
        Action   = ["s3:DeleteObject"]
        Resource = ["arn:aws:s3:::provider-states/blog/staging/terraform.tfstate.tflock"]
      },
      {
        Sid      = "Open1"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer" = ["blog"]
          }
          StringLikeIfExists = {
            "kms:EncryptionContext:metapipe:environment" = ["staging"]
          }
        }
      },
      {
        Sid      = "Seal1"
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey"]
        Resource = ["*"]
        Condition = {
          "ForAnyValue:StringEquals" = {
            "kms:ResourceAliases" = ["alias/plans"]
          }
          StringLike = {
            "kms:EncryptionContext:metapipe:customer"    = ["blog"]
            "kms:EncryptionContext:metapipe:environment" = ["staging"]
          }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy_attachment" "target-blog_staging_plan" {
  for_each   = var.plan_policy_arns
  role       = aws_iam_role.target-blog_staging_plan.name
  policy_arn = each.value
}

output "AWS_ROLE_ARN" {
  description = "Variable AWS_ROLE_ARN of the repository."
  value       = aws_iam_role.fetch-vars.arn
}

output "AWS_REPORT_ROLE_ARN" {
  description = "Variable AWS_REPORT_ROLE_ARN of the repository."
  value       = aws_iam_role.report.arn
}

output "AWS_DRIFT_ROLE_ARN" {
  description = "Variable AWS_DRIFT_ROLE_ARN of the repository."
  value       = aws_iam_role.drift.arn
}

output "AWS_SWEEP_ROLE_ARN" {
  description = "Variable AWS_SWEEP_ROLE_ARN of the repository."
  value       = aws_iam_role.sweep.arn
}

output "AWS_COMPLIANCE_ROLE_ARN" {
  description = "Variable AWS_COMPLIANCE_ROLE_ARN of the repository."
  value       = aws_iam_role.compliance.arn
}

output "AWS_SYNC_ROLE_ARN" {
  description = "Variable AWS_SYNC_ROLE_ARN of the repository."
  value       = aws_iam_role.sync.arn
}

output "AWS_ROLE_ARN-staging-plan" {
  description = "Variable AWS_ROLE_ARN of the environment staging-plan."
  value       = aws_iam_role.plan-staging.arn
}

output "AWS_ROLE_ARN-staging-apply" {
  description = "Variable AWS_ROLE_ARN of the environment staging-apply."
  value       = aws_iam_role.apply-staging.arn
}

output "AWS_ROLE_ARN-live-plan" {
  description = "Variable AWS_ROLE_ARN of the environment live-plan."
  value       = aws_iam_role.plan-live.arn
}

output "AWS_ROLE_ARN-live-apply" {
  description = "Variable AWS_ROLE_ARN of the environment live-apply."
  value       = aws_iam_role.apply-live.arn
}
