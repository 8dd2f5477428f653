// Go clients against a cluster: produce, consume by assignment and in groups, admin. Exits 0 when all held.
package main

import (
	"fmt"
	"os"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func that(holds bool, what ...any) {
	if !holds {
		panic(fmt.Sprint(what...))
	}
}

func main() {
	bootstrap := os.Args[2]
	switch os.Args[1] {
	case "franz-go":
		franzGo(bootstrap)
	case "sarama":
		saramaClient(bootstrap)
	case "franz-go-transactions":
		franzGoTransactions(bootstrap)
	case "franz-go-registry":
		franzGoRegistry(bootstrap)
	case "sarama-transactions":
		saramaTransactions(bootstrap)
	default:
		panic("unknown client " + os.Args[1])
	}
	fmt.Println("all held")
}
