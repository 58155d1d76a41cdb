'use client'

export function Caller({ bump, echo }) {
  return (
    <p>
      <button onClick={() => echo('hello')}>echo</button>
      <button onClick={() => bump('page')}>bump</button>
    </p>
  )
}
