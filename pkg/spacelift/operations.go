package spacelift

// operation is a GraphQL document with its name.
type operation struct {
	name     string
	document string
	mutation bool
	repeats  bool // it can be sent again without knowing what the first time has done
}

// header is the header in which Spacelift's clients name their operations.
func (o operation) header() string {
	if o.mutation {
		return "Spacelift-GraphQL-Mutation"
	}
	return "Spacelift-GraphQL-Query"
}

func query(name, document string) operation {
	return operation{name: name, document: "query " + name + document, repeats: true}
}

func mutation(name, document string) operation {
	return operation{name: name, document: "mutation " + name + document, mutation: true}
}

// again is a mutation that does the same at the second time.
func (o operation) again() operation {
	o.repeats = true
	return o
}

// stackFields are all that is read of a stack: what metapipe writes, and what an update has to send so that it
// does not reset it.
const stackFields = `id name description space namespace repository repositoryURL branch projectRoot additionalProjectGlobs provider labels
administrative autodeploy autoretry githubActionDeploy localPreviewEnabled enableWellKnownSecretMasking enableSensitiveOutputUpload protectFromDeletion
managesStateFile isDisabled deleting lockedBy runnerImage
beforeInit afterInit beforePlan afterPlan beforeApply afterApply beforeDestroy afterDestroy beforePerform afterPerform afterRun
blocker{id} workerPool{id} vcsIntegration{id isDefault}
vendorConfig{__typename
... on StackConfigVendorTerraform{version workspace useSmartSanitization externalStateAccessEnabled terraformTool: workflowTool}
... on StackConfigVendorOpenTofu{version workspace useSmartSanitization externalStateAccessEnabled concise tofuTool: workflowTool}}
config{id type checksum writeOnly}
attachedPolicies{policyId policyType isAutoattached} attachedContexts{contextId isAutoattached}
dependsOn{id dependsOnStack{id}}
integrations{driftDetection{schedule reconcile ignoreState timezone}}
outputs{id value sensitive}`

var (
	loginOperation = mutation("APIKeyUser", `($id: ID!, $secret: String!){apiKeyUser(id: $id, secret: $secret){jwt validUntil}}`).again()

	readStack    = query("Stack", `($id: ID!){stack(id: $id){`+stackFields+`}}`)
	searchStacks = query("SearchStacks", `($input: SearchInput!){searchStacks(input: $input){edges{node{`+stackFields+`}} pageInfo{endCursor hasNextPage}}}`)
	readDeleting = query("StackDeleting", `($id: ID!){stack(id: $id){id deleting}}`)

	createStack = mutation("StackCreate", `($input: StackInput!, $manageState: Boolean!, $slug: String){stackCreate(input: $input, manageState: $manageState, slug: $slug){id}}`)
	updateStack = mutation("StackUpdate", `($id: ID!, $input: StackInput!){stackUpdate(id: $id, input: $input){id}}`).again()
	deleteStack = mutation("StackDelete", `($id: ID!, $destroy: Boolean){stackDelete(id: $id, destroyResources: $destroy){id}}`)
	disable     = mutation("StackDisable", `($id: ID!){stackDisable(id: $id){id isDisabled}}`).again()
	enable      = mutation("StackEnable", `($id: ID!){stackEnable(id: $id){id isDisabled}}`).again()

	discardRuns = mutation("RunDiscardAll", `($stack: ID!){runDiscardAll(stack: $stack){failedDiscarding{id}}}`).again()

	addConfig    = mutation("StackConfigAdd", `($stack: ID!, $config: ConfigInput!){stackConfigAdd(stack: $stack, config: $config){id}}`)
	deleteConfig = mutation("StackConfigDelete", `($stack: ID!, $id: ID!){stackConfigDelete(stack: $stack, id: $id){id}}`)

	attachPolicy  = mutation("PolicyAttach", `($id: ID!, $stack: ID!){policyAttach(id: $id, stack: $stack){id}}`)
	attachContext = mutation("ContextAttach", `($id: ID!, $stack: ID!, $priority: Int!){contextAttach(id: $id, stack: $stack, priority: $priority){id}}`)

	addDependency  = mutation("StackDependencyCreate", `($input: StackDependencyInput!){stackDependencyCreate(input: $input){id}}`)
	dropDependency = mutation("StackDependencyDelete", `($id: ID!){stackDependencyDelete(id: $id){id}}`)

	createDrift = mutation("DriftDetectionCreate", `($stack: ID!, $input: DriftDetectionIntegrationInput!){stackIntegrationDriftDetectionCreate(stack: $stack, input: $input){reconcile}}`)
	updateDrift = mutation("DriftDetectionUpdate", `($stack: ID!, $input: DriftDetectionIntegrationInput!){stackIntegrationDriftDetectionUpdate(stack: $stack, input: $input){reconcile}}`).again()
)
