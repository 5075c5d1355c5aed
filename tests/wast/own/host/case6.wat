(component (import "host-return-nine" (func (result u32))))
