package config

import (
	"fmt"
	"slices"

	"github.com/metapipe/metapipe/pkg/strictyaml"
	"github.com/metapipe/metapipe/pkg/text"
)

// maxSealingKeys bounds the calls to KMS for one object.
const maxSealingKeys = 8

func (d *decoder) sealingKeys(v value, to *[]string) {
	d.list(v, func(item value) {
		var key string
		d.keyID(item, &key)
		switch {
		case key == "":
			// reported already
		case slices.Contains(*to, key):
			d.add(item.at, RuleDuplicate, fmt.Sprintf("the key %q is listed twice", strictyaml.Short(key)), "keep one of the two")
		default:
			*to = append(*to, key)
		}
	})
	if v.Kind == strictyaml.Array && len(v.Items) > maxSealingKeys {
		d.add(v.at, RuleValue, fmt.Sprintf("%d keys are listed; at most %d are tried", len(v.Items), maxSealingKeys), "remove those that nothing was sealed under lately")
	}
}

// keyIDForm has the forms of a KMS key: an id, one of a key of several regions,
// an alias, an ARN. Anything else of this length and mix is random.
var (
	keyIDForm  = text.Pattern(`^(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32}|alias/.+|arn:.+)$`)
	randomForm = text.Pattern(`^(?:(?:AKIA|ASIA)[A-Z0-9]{16}|[A-Za-z0-9/_-]{32,})$`)
)

// keyID reads the id of a KMS key, and warns of a key in its place.
func (d *decoder) keyID(v value, to *string) {
	d.matched(v, to, keyForm)
	if *to != "" && !keyIDForm().MatchString(*to) && randomForm().MatchString(*to) {
		d.warn(v.at, RuleValue, v.name+" looks like a secret, not like the id of a key", keyForm.remedy+"; if it is a secret, replace it, since the repository remembers it")
	}
}
