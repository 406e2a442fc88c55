-- Operations bound to those in `front`, with the number of their bindings, and how.
-- CROSS JOIN pins the order: from the few in front to their neighbours by index, never a scan of op.
SELECT next.id, count(*), 'each'
FROM front
CROSS JOIN edge ON edge.before = front.stage AND edge.how = 'each'
CROSS JOIN op AS next ON next.stage = edge.after AND next.path = front.path
WHERE next.state = 'planned'
GROUP BY next.id
UNION ALL
SELECT next.id, count(*), 'parent'
FROM front
CROSS JOIN edge ON edge.before = front.stage AND edge.how = 'parent'
CROSS JOIN path ON path.parent = front.path
CROSS JOIN op AS next ON next.stage = edge.after AND next.path = path.id
WHERE next.state = 'planned'
GROUP BY next.id
UNION ALL
SELECT next.id, count(*), 'children'
FROM front
CROSS JOIN edge ON edge.before = front.stage AND edge.how = 'children'
CROSS JOIN op AS next ON next.stage = edge.after AND next.path = front.parent
WHERE next.state = 'planned'
GROUP BY next.id
