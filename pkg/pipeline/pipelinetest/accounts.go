package pipelinetest

import (
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
)

// The people of the tests.
var (
	Dev   = pipeline.Account{ID: 31, Login: "dev"}
	Robin = pipeline.Account{ID: 32, Login: "robin"}
	bot   = pipeline.Account{ID: 33, Login: "metapipe-bot"}
)

// Approved is what an account said to one environment.
func Approved(by pipeline.Account, env string) deploy.Approval {
	return deploy.Approval{Login: by.Login, User: by, Approved: true, Environments: []string{env}}
}
