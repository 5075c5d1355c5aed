(component (import "host-return-two" (func (result u64))))
