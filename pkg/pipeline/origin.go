package pipeline

// MergeGroup is the event of a merge queue, which makes a branch for each group and
// deletes it when the queue is built anew.
const MergeGroup = "merge_group"
