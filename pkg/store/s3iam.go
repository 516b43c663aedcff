package store

import (
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/text"
)

// kmsAction is the action in the words of AWS: "… is not authorized to perform:
// kms:GenerateDataKey on resource: …".
var kmsAction = text.Pattern(`\bkms:[A-Za-z]{1,40}`)

// nextOfDenial names the permission that is missing. AWS names it to some callers
// itself; other servers, and AWS across accounts, say "Access Denied" only.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
func (s *S3) nextOfDenial(key string, e *awsError) string {
	if action := kmsAction().FindString(e.message); action != "" {
		return fmt.Sprintf("allow %s on %s, in a policy of the role and in the policy of the key", action, s.keyName())
	}
	switch e.operation {
	case "ListObjectsV2":
		return fmt.Sprintf("allow s3:ListBucket on %s for the prefix %q", s.bucketARN(), s.prefix+key)
	case "DeleteObject":
		return "allow s3:DeleteObject on " + s.objectARN(key)
	case "AbortMultipartUpload":
		return "allow s3:AbortMultipartUpload on " + s.objectARN(key)
	case "GetObject", "HeadObject":
		return fmt.Sprintf("allow s3:GetObject on %s, kms:Decrypt if its encryption is SSE-KMS, and s3:ListBucket on %s for that prefix (without it a missing object is "+
			"answered as denied)", s.objectARN(key), s.bucketARN())
	}
	next := "allow s3:PutObject on " + s.objectARN(key)
	if s.options.Encryption == EncryptionKMS {
		next += ", and kms:GenerateDataKey and kms:Decrypt on " + s.keyName()
	}
	return next + "; if that is allowed, look for a deny in the bucket policy, such as one that asks for another encryption"
}

func (s *S3) bucketARN() string { return "arn:" + Partition(s.region) + ":s3:::" + s.options.Bucket }

func (s *S3) objectARN(key string) string { return s.bucketARN() + "/" + s.prefix + key }

// keyName is the KMS key in the words of the configuration.
func (s *S3) keyName() string {
	switch {
	case s.options.KMSKeyID != "":
		return "the KMS key " + s.options.KMSKeyID
	case s.options.Encryption == EncryptionKMS:
		return "the KMS key aws/s3"
	}
	return "the KMS key of bucket " + s.options.Bucket
}

// Partition is the first part of an ARN after "arn".
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
func Partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}
