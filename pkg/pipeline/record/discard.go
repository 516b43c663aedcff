package record

// SecretObjects are the parts of a plan that only its apply needs. The model stays,
// from which later reports are rendered, and so does the receipt, with which later
// plans are compared.
func SecretObjects() []string { return []string{ObjectPlan, ObjectPlanJSON, ObjectBundle} }
