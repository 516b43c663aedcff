package variables_test

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/variables"
)

func TestCredentialsAreWarnedOfAndNotRepeated(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"AKIA" + "Q2W3E4R5T6Y7U7I2": "the id of an AWS access key", "key=ASIA" + "Q2W3E4R5T6Y7U7I2;": "the id of an AWS access key",
		"ghp_" + strings.Repeat("a1", 18): "a token of GitHub", "AIza" + strings.Repeat("b", 35): "an API key of Google",
		"-----BEGIN EC PRIVATE KEY-----": "a private key", "postgres://app:" + "pw@db/x": "a password in a URL",
		"AKIAlower": "", "https://example.com/a@b": "", "t3.micro": "",
	} {
		_, problems := variables.Parse("f", []byte("a: [\""+value+"\"]\nenvironments: {staging: {}}\n"), pipeline.Limits{}, nil)
		switch {
		case want == "" && len(problems) > 0:
			t.Errorf("%s: %v", value, problems)
		case want != "" && (len(problems) != 1 || !problems[0].Warning || !strings.Contains(problems[0].Message, want) || problems[0].Line != 1):
			t.Errorf("%s: %v", value, problems)
		case want != "" && strings.Contains(problems.Error(), value):
			t.Errorf("the value is repeated: %v", problems)
		}
	}
}
