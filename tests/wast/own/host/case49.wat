(component
  (core module $M (func (export "f"))) (core instance $m (instantiate $M))
  (func $f (canon lift (core func $m "f"))) (core func $g (canon lower (func $f)))
  (core module $S (import "" "g" (func $g)) (func $start (call $g)) (start $start))
  (core instance (instantiate $S (with "" (instance (export "g" (func $g)))))))
