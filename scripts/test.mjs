// `npm test [-- step …]`. This file must parse on old Nodes, so that they can say in one line what is needed.
import { refuseOldNode } from './node-version.mjs';

refuseOldNode();
import('./test/main.mjs').then((test) => test.main(process.argv.slice(2)));
