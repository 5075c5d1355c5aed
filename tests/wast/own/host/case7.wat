(component (import "host" (instance (export "return-nine" (func (result u32))))))
