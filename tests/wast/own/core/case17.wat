(module (import "env" "next" (func (param i64))))
