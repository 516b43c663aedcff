package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/store"
)

// credentials takes the roles of targets.
type credentials struct{ *manager }

func credentialsOf(m *manager) credentials { return credentials{m} }

// confine takes the role of a target, where there is one, and leaves the rest of
// the step nothing but its credentials: the store and the tool can reach what is
// the customer's, and nothing of anybody else. It comes before the store is opened.
//
// A person's machine has no ID token; there the person's own credentials are used.
func (m credentials) confine(ctx context.Context, c pipeline.Customer, t pipeline.Target, work pipeline.Work) error {
	if c.Manager.Role == "" || !m.context.InActions {
		return nil
	}
	session, err := m.session(ctx, c, t, work)
	if err != nil {
		return err
	}
	m.toolEnviron = session.Confine(m.app.Environ)
	m.app.Environ = append(slices.Clip(m.app.Environ), session.Keys()...)
	return nil
}

// driftWaitDelay is how long a stopped look may take to end by itself: it holds no
// lock and writes no state, and the runner kills the step after ten seconds.
const driftWaitDelay = 5 * time.Second

// fleet looks at many targets, each with the credentials of its own role where
// there is one. The store stays open under those of the job.
func (m credentials) fleet(dir string) pipeline.Fleet {
	o := m.engineOptions()
	o.waitDelay = driftWaitDelay
	o.environOf = func(ctx context.Context, job pipeline.Job) ([]string, error) {
		if job.Customer.Manager.Role == "" || !m.context.InActions {
			return o.environ, nil
		}
		session, err := m.session(ctx, job.Customer, job.Target(), pipeline.WorkPlan)
		if err != nil {
			return nil, err
		}
		return session.Confine(o.environ), nil
	}
	return &fleetByTool{dir: dir, options: o, fleets: map[string]pipeline.Fleet{}}
}

// session takes the role of a target for as long as the work may last.
func (m credentials) session(ctx context.Context, c pipeline.Customer, t pipeline.Target, work pipeline.Work) (store.Session, error) {
	state := m.config.Manager.State
	region := cmp.Or(state.Bucket.Region, m.app.getenv("AWS_REGION"), m.app.getenv("AWS_DEFAULT_REGION"))
	state.Bucket.Region = region // its partition stands in the policy
	scope := store.Scope{Bucket: state.Bucket, Customer: string(c.Name), Environment: string(t.Environment), Stack: string(t.Stack), Needs: namesOf(c.Manager.NeedsOf(t.Stack)), SealingKeys: m.config.Manager.SealingKeys}
	role := c.Manager.Role.Of(t, work)
	policy, err := scope.SessionPolicy(role, state.Target(t, ""))
	if err != nil {
		return store.Session{}, err
	}
	token, err := masksOf(m.step).idToken(ctx, store.SessionAudience)
	if err != nil {
		return store.Session{}, fmt.Errorf("take the role of %s: %w", t, err)
	}
	session, err := store.OpenSession(ctx, store.SessionOptions{Role: role, Token: token, Target: t,
		Policy: policy, Duration: c.Manager.Limits.SessionTime(work), Region: region, Lookup: m.app.lookup})
	if err != nil {
		return store.Session{}, err
	}
	if err := masksOf(m.step).add(session.SecretAccessKey, session.Token); err != nil {
		return store.Session{}, fmt.Errorf("mask the credentials of %s: %w", t, err)
	}
	return session, nil
}
