package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// KMSOptions are the keys of AWS KMS that seal in place of a Key of our own.
type KMSOptions struct {
	// Keys are ids, ARNs or aliases of symmetric keys: the first one seals, each of
	// them opens. There must be one at least.
	Keys []string
	// Region is that of keys that do not name theirs; empty: what Lookup says.
	Region string
	// Objects keeps the keys of fingerprints.
	Objects pipeline.Store
	// Lookup reads the environment, in which AWS_… has its usual meaning.
	Lookup func(string) (string, bool)
}

// The encryption context of a data key. KMS writes it into its log, and policies
// can ask for it: so a role of one customer opens nothing of another.
// Source: https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html
const (
	contextCustomer    = "metapipe:customer"
	contextEnvironment = "metapipe:environment"
	contextBinding     = "metapipe:binding" // the SHA-256 of what else the object is bound to
	contextKind        = "metapipe:kind"    // "record" where it authenticates a record
	kindRecord         = "record"
	fleetCustomer      = "_metapipe" // whose records belong to no customer
)

func encryptionContext(to pipeline.Binding) map[string]string {
	sum := sha256.Sum256(to.Data)
	c := map[string]string{contextBinding: hex.EncodeToString(sum[:]), contextCustomer: string(to.Customer)}
	if to.Environment != "" {
		c[contextEnvironment] = string(to.Environment)
	}
	if to.Record {
		c[contextKind] = kindRecord
	}
	return c
}

type kmsKeys struct {
	names   []string
	client  *kms.Client
	objects pipeline.Store
}

// NewKMSSealer returns a Sealer that asks KMS for a data key for each object.
// With keys, it also opens what was sealed under those.
func NewKMSSealer(ctx context.Context, o KMSOptions, keys ...Key) (*Sealer, error) {
	s, err := newSealer(keys)
	if err != nil {
		return nil, err
	}
	if len(o.Keys) == 0 {
		return nil, pipeline.Usagef("no KMS key is named").Nextf("name one in `sealing_keys` of metapipe.yml")
	}
	env := environ{o.Lookup}
	c, err := env.config(ctx, o.Region)
	if err != nil {
		return nil, pipeline.Usagef("read the AWS settings for KMS").Because(err).
			Nextf("fix the AWS_… variables of this step, or the AWS profile that they name")
	}
	if c.Region == "" && regionOfKey(o.Keys[0]) == "" {
		return nil, pipeline.Usagef("the region of the KMS key %s is not set", o.Keys[0]).
			Nextf("name the key by its ARN in `sealing_keys`, or set `state.region` or AWS_REGION")
	}
	s.kms = &kmsKeys{names: o.Keys, objects: o.Objects, client: kms.NewFromConfig(c, func(ko *kms.Options) {
		if endpoint := env.first("AWS_ENDPOINT_URL_KMS", "AWS_ENDPOINT_URL"); endpoint != "" {
			ko.BaseEndpoint = &endpoint
		}
		ko.Retryer = retryAt(aws.ToString(ko.BaseEndpoint))
	})}
	return s, nil
}

// regionOfKey is the region that an ARN names; empty for an id or an alias.
func regionOfKey(key string) string {
	parts := strings.SplitN(key, ":", 6)
	if len(parts) == 6 && parts[0] == "arn" && parts[2] == "kms" {
		return parts[3]
	}
	return ""
}

// there sends a call to the region of a key.
func there(key string) func(*kms.Options) {
	return func(o *kms.Options) {
		if region := regionOfKey(key); region != "" {
			o.Region = region
		}
	}
}

func (k *kmsKeys) seal(ctx context.Context, w io.Writer, salt [saltSize]byte, to pipeline.Binding) (io.WriteCloser, error) {
	name := k.names[0]
	out, err := k.client.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: &name, KeySpec: types.DataKeySpecAes256, EncryptionContext: encryptionContext(to)}, there(name))
	if err != nil {
		return nil, k.fail("seal", "kms:GenerateDataKey", name, to, err)
	}
	defer clear(out.Plaintext)
	if len(out.Plaintext) != keySize {
		return nil, fmt.Errorf("seal: KMS gave a data key of %d bytes, want %d", len(out.Plaintext), keySize)
	}
	raw, err := kmsHeader(aws.ToString(out.KeyId), out.CiphertextBlob, salt)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return newSealWriter(w, raw, out.Plaintext, to)
}

// open lets KMS decrypt the data key of an object under one of our keys, and no
// other: someone else's key would open what someone else has sealed.
func (k *kmsKeys) open(ctx context.Context, h header, to pipeline.Binding) ([]byte, error) {
	for _, name := range k.names {
		out, err := k.client.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: h.blob, KeyId: &name, EncryptionContext: encryptionContext(to)}, there(name))
		var other *types.IncorrectKeyException
		var invalid *types.InvalidCiphertextException
		switch {
		case errors.As(err, &other):
			continue
		case errors.As(err, &invalid):
			return nil, tampered("KMS does not open its data key: that, or what it is bound to, is not what was sealed")
		case err != nil:
			return nil, k.fail("unseal", "kms:Decrypt", name, to, err)
		case len(out.Plaintext) != keySize:
			return nil, tampered(fmt.Sprintf("its data key has %d bytes, want %d", len(out.Plaintext), keySize))
		}
		return out.Plaintext, nil
	}
	return nil, pipeline.ErrUnknownKey
}
