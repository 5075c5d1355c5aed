// A plain Go program as a command: GOOS=wasip1 GOARCH=wasm go build
package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"time"
)

func number(i int) int {
	if len(os.Args) <= i {
		return 0
	}
	n, _ := strconv.Atoi(os.Args[i])
	return n
}

type tree struct {
	left, right *tree
	mark        int
}

func plant(depth int) *tree {
	if depth == 0 {
		return &tree{mark: 1}
	}
	return &tree{plant(depth - 1), plant(depth - 1), depth}
}

func (t *tree) count() int {
	if t == nil {
		return 0
	}
	return 1 + t.left.count() + t.right.count()
}

// Fills the heap many times over, with output in between: whoever shares the memory would notice.
func grow(mib int) {
	var trees []*tree
	names := map[string]int{}
	for i := 0; i < mib; i++ {
		trees = append(trees, plant(14)) // 32767 nodes, 1 MiB
		for j := 0; j < 1000; j++ {
			names[fmt.Sprint("name ", i, " ", j)] = j
		}
		fmt.Fprintln(os.Stderr, "grown", i)
		if i%8 == 7 {
			runtime.GC()
		}
	}
	sum := 0
	for _, t := range trees {
		sum += t.count()
	}
	fmt.Println("grew", sum, len(names))
}

func main() {
	what := "hello"
	if len(os.Args) > 1 {
		what = os.Args[1]
	}
	switch what {
	case "hello":
		fmt.Println("hello from Go")
	case "args":
		for _, a := range os.Args {
			fmt.Println(a)
		}
	case "env":
		for _, e := range os.Environ() {
			fmt.Println(e)
		}
	case "cat":
		if _, err := io.Copy(os.Stdout, os.Stdin); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
	case "grow":
		grow(number(2))
	case "sleep":
		start := time.Now()
		time.Sleep(time.Duration(number(2)) * time.Millisecond)
		fmt.Println(time.Since(start) >= time.Duration(number(2))*time.Millisecond)
	case "exit":
		os.Exit(number(2))
	case "trap":
		panic("as asked")
	default:
		fmt.Fprintf(os.Stderr, "command: what is '%s'?\n", what)
		os.Exit(2)
	}
}
