package cli

import (
	"context"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/store"
)

// keys are the keys that plans and variables are sealed with: the KMS keys of
// metapipe.yml, METAPIPE_KEY, or both.
type keys struct {
	app       *App
	inActions bool
	kms       store.KMSOptions // without keys where metapipe.yml names none
}

// first seals and opens under the first key alone.
func (k keys) first(ctx context.Context) (*store.Sealer, error) {
	if len(k.kms.Keys) > 0 {
		k.kms.Keys = k.kms.Keys[:1]
		return store.NewKMSSealer(ctx, k.kms)
	}
	parsed, err := store.ParseKeys(k.app.getenv(envKey))
	if err != nil {
		return nil, pipeline.Usagef("%s is not a key", envKey).Because(err)
	}
	return store.NewSealer(parsed[0])
}

// sealer seals under the KMS keys of metapipe.yml, else under METAPIPE_KEY.
// Beside KMS keys, METAPIPE_KEY goes on opening what it has sealed.
func (k keys) sealer(ctx context.Context) (*store.Sealer, error) {
	secret := k.app.getenv(envKey)
	if k.none() {
		return nil, unsetSecrets([]unset{k.unset()})
	}
	var parsed []store.Key
	if secret != "" {
		var err error
		if parsed, err = store.ParseKeys(secret); err != nil {
			return nil, pipeline.Usagef("%s is not a key", envKey).Because(err).
				Nextf("use 32 random bytes in base64, as `openssl rand -base64 32` prints them. Separate several keys by white space or " +
					"commas; the first one seals")
		}
	}
	if len(k.kms.Keys) == 0 {
		return store.NewSealer(parsed...)
	}
	return store.NewKMSSealer(ctx, k.kms, parsed...)
}

// reading are the records of a store for a command that reads them also without a key. Then
// nothing is verified, and the log says so.
func (k keys) reading(ctx context.Context, s pipeline.Store) (record.Records, error) {
	if k.none() {
		k.app.logf("%s is not set, so nothing that the ledgers say was verified", envKey)
		return record.Records{Store: s}, nil
	}
	sealer, err := k.sealer(ctx)
	return record.Records{Store: s, Sealer: sealer}, err
}

// none reports whether there is nothing to seal with.
func (k keys) none() bool { return k.app.getenv(envKey) == "" && len(k.kms.Keys) == 0 }

// unset is what to do where there is nothing to seal with.
func (k keys) unset() unset {
	next := "make one with `openssl rand -base64 32` and store it as a secret of the manager repository, or name KMS keys in `sealing_keys` of metapipe.yml"
	if !k.inActions {
		next = "set it to the manager's key, the secret of its repository: a new key opens nothing that is stored already. For a manager of your own machine, make one with `openssl rand -base64 32`"
	}
	return unset{name: envKey, why: ": plans and variables are stored encrypted only", next: next}
}
