// `npm run sbom [-- file]`. This file must parse on old Nodes, so that they can say in one line what is needed.
import { refuseOldNode } from './node-version.mjs';

refuseOldNode();
import('./sbom/main.mjs').then((sbom) => sbom.main(process.argv.slice(2)));
