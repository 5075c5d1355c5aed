(component
  (import "host" (instance $host (export "simple-module" (core module
    (export "f" (func (result i32))) (export "g" (global i32))))))
  (core instance $s (instantiate (module $host "simple-module")))
  (core instance $again (instantiate (module $host "simple-module")))
  (core module $M (import "s" "f" (func $f (result i32))) (import "s" "g" (global $g i32))
    (func (export "sum") (result i32) (i32.add (call $f) (global.get $g))))
  (core instance $m (instantiate $M (with "s" (instance $s))))
  (func (export "sum") (result u32) (canon lift (core func $m "sum")))
  (func (export "f") (result u32) (canon lift (core func $again "f"))))
