package config

import (
	"fmt"
	"slices"

	"github.com/metapipe/metapipe/pkg/strictyaml"
)

// maxSealingKeys bounds the calls to KMS for one object.
const maxSealingKeys = 8

func (d *decoder) sealingKeys(v value, to *[]string) {
	d.list(v, func(item value) {
		var key string
		d.matched(item, &key, keyForm)
		switch {
		case key == "":
			// told already
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
