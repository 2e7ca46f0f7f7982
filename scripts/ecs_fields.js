/* Makes tests/data/ecs_fields.tsv: the ECS fields that our log lines use, with type and shape.
 * usage: node scripts/ecs_fields.js DIR > tests/data/ecs_fields.tsv
 *        DIR holds node_modules/@elastic/ecs (npm install @elastic/ecs@9.0.0) */
const fs = require('fs');
const path = require('path');

const dir = path.resolve(process.argv[2]);
const { EcsFlat } = require(path.join(dir, 'node_modules/@elastic/ecs'));
const root = path.join(__dirname, '..');
const names = new Set();
for (const file of ['src/base/log.c', 'src/watch/access.c']) {
    const text = fs.readFileSync(path.join(root, file), 'utf8');
    for (const m of text.matchAll(/"(@timestamp|message|[a-z_]+(?:\.[a-z_]+)+)\\?"/g))
        names.add(m[1]);
}
console.log('# ECS 9.0.0: field, type, one or array. Made by scripts/ecs_fields.js.');
const byName = Object.fromEntries(Object.values(EcsFlat).map((f) => [f.flat_name ?? f.name, f]));
for (const name of [...names].sort()) {
    if (name.startsWith('garrison.'))
        continue;
    const field = byName[name];
    if (!field) {
        console.error(`${name} is no ECS field`);
        process.exitCode = 1;
        continue;
    }
    const array = (field.normalize ?? []).includes('array');
    console.log(`${name}\t${field.type}\t${array ? 'array' : 'one'}`);
}
