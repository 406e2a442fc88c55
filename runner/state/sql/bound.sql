-- Operations bound to those in `front`, a row for each binding, and how.
-- CROSS JOIN pins the order: from the few in front to their neighbours by index, never a scan of op.
SELECT next.id AS op, 'each' AS how
FROM front
CROSS JOIN edge ON edge.before = front.stage AND edge.how = 'each'
CROSS JOIN op AS next ON next.stage = edge.after AND next.path = front.path
WHERE next.state = 'planned'
UNION ALL
SELECT next.id, 'parent'
FROM front
CROSS JOIN edge ON edge.before = front.stage AND edge.how = 'parent'
CROSS JOIN path ON path.parent = front.path
CROSS JOIN op AS next ON next.stage = edge.after AND next.path = path.id
WHERE next.state = 'planned'
UNION ALL
SELECT next.id, 'children'
FROM front
CROSS JOIN edge ON edge.before = front.stage AND edge.how = 'children'
CROSS JOIN op AS next ON next.stage = edge.after AND next.path = front.parent
WHERE next.state = 'planned'
