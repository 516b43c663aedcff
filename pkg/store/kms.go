package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// The encryption context of a data key. KMS writes it into its log, and policies
// can ask for it: so a role of one customer opens nothing of another.
// Source: https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html
const (
	contextCustomer    = "metapipe:customer"
	contextEnvironment = "metapipe:environment"
	contextBinding     = "metapipe:binding" // the SHA-256 of what else the object is bound to
	contextKind        = "metapipe:kind"    // a pipeline.SealKind, where it has one
	fleetCustomer      = "_metapipe"        // whose records belong to no customer
)

func encryptionContext(to pipeline.Binding) map[string]string {
	sum := sha256.Sum256(to.Data)
	c := map[string]string{contextBinding: hex.EncodeToString(sum[:]), contextCustomer: string(to.Customer)}
	if to.Environment != "" {
		c[contextEnvironment] = to.Part()
	}
	if to.Kind != "" {
		c[contextKind] = string(to.Kind)
	}
	return c
}

type kmsKeys struct {
	names   []string
	client  *kms.Client
	objects pipeline.Store
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

// there sends a call to the region of a key.
func there(key string) func(*kms.Options) {
	return func(o *kms.Options) {
		if region := regionOfKey(key); region != "" {
			o.Region = region
		}
	}
}
