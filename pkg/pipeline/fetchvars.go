package pipeline

type CustomerRegistry interface {
	Customer(name CustomerName) (Customer, bool)
	ByRepository(id int64) []Customer
}
