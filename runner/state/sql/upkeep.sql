-- When what nobody asks for any more was last removed.
CREATE TABLE IF NOT EXISTS upkeep (
    day         INTEGER NOT NULL   -- in days since 1970
) STRICT;
