package output

// LockFileName is the dependency lock file of a root module.
const LockFileName = ".terraform.lock.hcl"
