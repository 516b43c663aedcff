package cli

import (
	"context"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/store"
)

// openFirstKey seals and opens under the first key alone.
func (m *manager) openFirstKey(ctx context.Context) (*store.Sealer, error) {
	if kms := m.config.Manager.SealingKeys; len(kms) > 0 {
		return store.NewKMSSealer(ctx, store.KMSOptions{Keys: kms[:1], Region: m.config.Manager.State.Bucket.Region, Objects: m.store, Lookup: m.app.lookup})
	}
	keys, err := store.ParseKeys(m.app.getenv(envKey))
	if err != nil {
		return nil, &pipeline.UsageError{Message: envKey + " is not a key", Err: err}
	}
	return store.NewSealer(keys[0])
}

// openSealer seals under the KMS keys of metapipe.yml, else under METAPIPE_KEY.
// Beside KMS keys, METAPIPE_KEY goes on opening what it has sealed.
func (m *manager) openSealer(ctx context.Context) (*store.Sealer, error) {
	kms := m.config.Manager.SealingKeys
	secret := m.app.getenv(envKey)
	if m.keyIsUnset() {
		return nil, unsetSecrets([]unset{m.unsetKey()})
	}
	var keys []store.Key
	if secret != "" {
		var err error
		if keys, err = store.ParseKeys(secret); err != nil {
			return nil, &pipeline.UsageError{Message: envKey + " is not a key", Err: err, Next: "use 32 random bytes in base64, as `openssl rand -base64 32` prints them; several of them are divided by white space or commas, and the first one seals"}
		}
	}
	if len(kms) == 0 {
		return store.NewSealer(keys...)
	}
	return store.NewKMSSealer(ctx, store.KMSOptions{Keys: kms, Region: m.config.Manager.State.Bucket.Region, Objects: m.store, Lookup: m.app.lookup}, keys...)
}
